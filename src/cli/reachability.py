"""Reachability: whether each machine answers, how fast, and where it should be; never with which password."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import httpx

from adapters.cache import Cache
from adapters.settings import Settings, on_this_machine
from eventstore.connections import LOST
from projections.cache import CacheAway

if TYPE_CHECKING:
    from cli.queues import Queue

PATIENCE = 2.0
"""Seconds that a machine has to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability:
    """One machine: where it should be, and how it answered."""

    name: str
    address: str
    milliseconds: float | None
    """Time to answer; None when it did not."""
    problem: str | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether it answered."""
        return self.problem is None


async def reach_postgres(settings: Settings) -> Reachability:
    """Open a connection, as every process would."""
    url = settings.database_url.get_secret_value()

    async def ask() -> None:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        connection.terminate()

    return await _reach("postgres", url, ask)


async def reach_valkey(settings: Settings) -> Reachability:
    """Ping Redis or Valkey."""
    url = settings.redis_url.get_secret_value()
    cache = Cache(url, timeout=PATIENCE)
    try:
        return await _reach("valkey", url, cache.ping)
    finally:
        await cache.close()


async def reach_auth(settings: Settings) -> Reachability:
    """Fetch the keys that access tokens are verified with."""
    async with httpx.AsyncClient(
        timeout=PATIENCE, follow_redirects=False, trust_env=not on_this_machine(settings.supabase_url)
    ) as http:

        async def ask() -> None:
            answer = await http.get(f"{settings.supabase_url.rstrip('/')}/auth/v1/.well-known/jwks.json")
            answer.raise_for_status()

        return await _reach("auth", settings.supabase_url, ask)


async def reach_rabbitmq(settings: Settings) -> "tuple[Reachability, list[Queue]]":
    """Look at the projectors' queues, where there is a broker."""
    from adapters.broker.connection import BROKEN  # noqa: PLC0415  only with a broker
    from cli.queues import read_queues  # noqa: PLC0415

    assert settings.rabbitmq_url  # noqa: S101  there is a broker
    queues: list[Queue] = []

    async def ask() -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                queues.extend(await read_queues(settings))
        except BROKEN as error:
            raise OSError from error

    return await _reach("rabbitmq", settings.rabbitmq_url.get_secret_value(), ask), queues


async def _reach(name: str, url: str, ask: Callable[[], Awaitable[None]]) -> Reachability:
    started = time.perf_counter()
    try:
        await ask()
    except (*LOST, asyncpg.PostgresError, CacheAway, httpx.HTTPError, httpx.InvalidURL) as error:
        problem = type(error.__cause__ or error).__name__
        return Reachability(name=name, address=_address(url), milliseconds=None, problem=problem)
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    return Reachability(name=name, address=_address(url), milliseconds=milliseconds)


def _address(url: str) -> str:
    """Return host and port of an address, or the path of a socket; nothing that may hold a secret."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path
