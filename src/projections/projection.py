"""Projection: what every read model offers its projector; it folds in memory and writes once per batch."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg

from domain.events import Event
from eventstore.record import Record


class Seen(NamedTuple):
    """An event as a projection sees it: the fact, and where and when the log holds it."""

    event: Event
    record: Record


class Projection(Protocol):
    """A read model in the making. `fold` is pure; `write` runs in the transaction of the cursors."""

    @property
    def name(self) -> str:
        """Its name in `read.cursors` and in the names of its tables."""

    @property
    def handles(self) -> frozenset[str]:
        """Public names of the events it folds."""

    def fold(self, events: Sequence[Seen]) -> Any:  # noqa: ANN401  each read model has a shape of its own
        """Fold events, in position order, into what changes."""

    async def write(self, connection: asyncpg.pool.PoolConnectionProxy, changes: Any) -> None:  # noqa: ANN401
        """Write the changes, at most one statement a table."""

    def stale_keys(self, changes: Any) -> Mapping[str, int]:  # noqa: ANN401
        """Return the Redis keys that the changes made stale, each with the position it must not fall behind."""
