"""Cache: what queries and projectors ask of Redis, so that an older value never replaces a newer one.

A reader that finds nothing takes a lease and fills under it; a projector that made a value stale withdraws the lease
and sets a floor, so a fill that raced it loses. A flushed Redis has lost the leases too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class CacheAway(Exception):
    """Redis did not do what was asked; it may be away, starting, full or too slow."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A value as it was filled in, and the position of the log that it was made at."""

    value: bytes
    position: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fill one key, for two seconds or until the key is invalidated or flushed."""

    token: bytes


class Values(Protocol):
    """Cached JSON by the contract's Redis keys. Reads and fills never fail, they only find nothing."""

    async def lease(self, key: str) -> Cached | Lease | None:
        """Return the value, or else the right to fill it, or None where somebody else fills it or Redis is away."""

    async def fill(self, key: str, lease: Lease, value: bytes, *, position: int, expires_at: datetime) -> bool:
        """Store a value made at a log position, unless the lease is lost or something newer is known."""

    async def invalidate(self, positions: Mapping[str, int]) -> None:
        """Drop values that a log position made stale; `CacheAway` means: try again."""

    async def drop_values(self) -> None:
        """Drop every cached value; `CacheAway` means: try again."""
