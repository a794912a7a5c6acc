"""GCRA: how many requests somebody may send, as a bucket that drains evenly; pure, and here for when Redis is away.

The generic cell rate algorithm keeps one moment a key: when all that was let through will have drained. The Lua of
`redis_scripts.py` is the same arithmetic, and one contract test holds both to it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

SECOND = 1_000_000
"""Microseconds."""
MOST_KEYS = 100_000
"""Keys that one process remembers; the one that was charged longest ago is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """So many requests in so many seconds, of which `burst` may come at once."""

    name: str
    quota: int
    seconds: int
    burst: int
    interval: int = field(init=False)
    """Microseconds in which one request drains."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", max(1, self.seconds * SECOND // self.quota))

    def share(self, processes: int) -> "Policy":
        """Return what one of several processes may let through where none knows of the others."""
        quota, burst = max(1, self.quota // processes), max(1, self.burst // processes)
        return Policy(name=self.name, quota=quota, seconds=self.seconds, burst=burst)


class Charge(NamedTuple):
    """One request on somebody's account: the key it is kept under, and by which policy."""

    key: str
    policy: Policy


class Allowance(NamedTuple):
    """What a charge came to: `wait` is 0 if it was let through; both are in microseconds."""

    policy: Policy
    wait: int
    """Until the next request is let through, of one that was refused."""
    backlog: int
    """Until everything that was let through has drained."""

    @property
    def remaining(self) -> int:
        """Requests that would be let through now."""
        return max(0, self.policy.burst - -(-self.backlog // self.policy.interval))


def charge(policy: Policy, drained_at: int, now: int) -> tuple[Allowance, int]:
    """Return what one request more comes to, and the moment to keep; moments are in microseconds."""
    room = policy.interval * policy.burst
    drained_at = min(max(drained_at, now), now + room)
    after = drained_at + policy.interval
    if after - now > room:
        return Allowance(policy, after - now - room, drained_at - now), drained_at
    return Allowance(policy, 0, after - now), after


class LocalLimiter:
    """Counts in this process alone, for a bounded number of keys."""

    def __init__(self, processes: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes = processes
        self._clock = clock
        self._drained_at: dict[str, int] = {}

    def charge(self, asked: Charge) -> Allowance:
        """Charge one request by this process's share of the policy."""
        now = int(self._clock() * SECOND)
        drained_at = self._drained_at.pop(asked.key, now)
        allowance, self._drained_at[asked.key] = charge(asked.policy.share(self._processes), drained_at, now)
        if len(self._drained_at) > MOST_KEYS:
            del self._drained_at[next(iter(self._drained_at))]
        return allowance
