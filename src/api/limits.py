"""Limits: how many requests an address and an account may send, and what an answer says of it.

The count is kept in Redis for all processes; while Redis is away each process counts for itself. Headers are those of
the IETF draft "RateLimit header fields for HTTP".
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.requests import Request
from starlette.types import Scope

from adapters.gcra import SECOND, Allowance, Charge, LocalLimiter, Policy
from adapters.settings import Settings
from api.backend import backend_of
from api.caller import caller_of
from api.errors import QuotaExceeded

MINUTE, HOUR = 60, 3600

logger = structlog.get_logger()


class RateLimits:
    """The limits of this process; one charge of a request is one question to Redis."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._proxies = settings.trusted_proxies
        self._address = Policy(name="ip", quota=settings.rate_limit, seconds=MINUTE, burst=settings.rate_limit_burst)
        self._login = _policy("login-ip", settings.login_limit, MINUTE)
        self._login_of_account = _policy("login-account", settings.login_limit_of_account, MINUTE)
        self._pairing = _policy("pairing-account", settings.pairing_limit, HOUR)
        self._local = LocalLimiter(settings.api_processes)
        self._is_local = False
        self._metrics = LimitMetrics(registry)

    def of_address(self, request: Request) -> Charge | None:
        """Return the charge that every request is, or None for one that was charged already."""
        if _allowances(request.scope):
            return None
        return Charge(f"rate_limit:{caller_of(request.scope, self._proxies)}", self._address)

    async def charge_login(self, request: Request, account: str) -> None:
        """Charge a try to sign in to the address and to the account, by its e-mail's HMAC; raises `QuotaExceeded`."""
        address = caller_of(request.scope, self._proxies)
        await self._charge(request, Charge(f"rate_limit:login:{address}", self._login))
        await self._charge(request, Charge(f"rate_limit:login:account:{account}", self._login_of_account))

    async def charge_pairing(self, request: Request, account: UUID) -> None:
        """Charge a try with pairing codes to an account; raises `QuotaExceeded`."""
        await self._charge(request, Charge(f"rate_limit:pairing:account:{account}", self._pairing))

    def settle(self, request: Request, charge: Charge, allowance: Allowance | None) -> None:
        """Take note of what a charge came to, None where Redis did not say; raises `QuotaExceeded`."""
        self._note(is_local=allowance is None)
        allowance = allowance or self._local.charge(charge)
        _allowances(request.scope).append(allowance)
        if allowance.wait:
            self._metrics.refused.labels(allowance.policy.name).inc()
            raise QuotaExceeded(retry_after=-(-allowance.wait // SECOND), policies=[allowance.policy.name])

    async def _charge(self, request: Request, charge: Charge) -> None:
        self.settle(request, charge, (await backend_of(request).cache.look(charge=charge)).allowance)

    def _note(self, *, is_local: bool) -> None:
        if is_local:
            self._metrics.local.inc()
        if is_local != self._is_local:
            self._is_local = is_local
            self._metrics.is_local.set(is_local)
            logger.warning("rate_limits_kept_here" if is_local else "rate_limits_kept_in_redis")


class LimitMetrics:
    """Counts refusals by policy, and what was counted without Redis; nothing that names a person is a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "afterschool_rate_limited", "Requests that were refused, by policy", ["policy"], registry=registry
        )
        self.local = Counter(
            "afterschool_rate_limit_local_charges", "Charges that were counted without Redis", registry=registry
        )
        self.is_local = Gauge(
            "afterschool_rate_limit_local", "1 while this process counts for itself", registry=registry
        )


async def charge_address(request: Request) -> None:
    """Charge a request that asks nothing else of Redis to its address; raises `QuotaExceeded`."""
    limits = rate_limits_of(request)
    if charge := limits.of_address(request):
        limits.settle(request, charge, (await backend_of(request).cache.look(charge=charge)).allowance)


def rate_limits_of(request: Request) -> RateLimits:
    """Return the limits of the application that answers this request."""
    return cast("RateLimits", request.app.state.rate_limits)


def headers_of(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    """Return what an answer says of the limits that its request was charged to."""
    allowances = _allowances(scope)
    if not allowances:
        return ()
    policies = ", ".join(f'"{one.policy.name}";q={one.policy.quota};w={one.policy.seconds}' for one in allowances)
    left = ", ".join(f'"{one.policy.name}";r={one.remaining};t={-(-one.backlog // SECOND)}' for one in allowances)
    return (b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())


def _allowances(scope: Scope) -> list[Allowance]:
    allowances: list[Allowance] = scope.setdefault("state", {}).setdefault("allowances", [])
    return allowances


def _policy(name: str, quota: int, seconds: int) -> Policy:
    return Policy(name=name, quota=quota, seconds=seconds, burst=quota)
