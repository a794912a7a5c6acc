"""Projection: what every read model offers its projector; it folds in memory and writes once per batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import asyncpg

from domain.events import Event
from eventstore.record import Record

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""Rows of each table, as they are stored."""


class Seen(NamedTuple):
    """An event as a projection sees it: the fact, and where and when the log holds it."""

    event: Event
    record: Record


async def forget(
    connection: Connection, tables: Iterable[str], column: str, generation: int, people: Collection[UUID]
) -> None:
    """Delete the rows of these people, who were erased; `column` names them in every one of the tables."""
    for table in tables if people else ():
        await connection.execute(
            f"delete from read.{table}_g{generation} where {column} = any($1::uuid[])",  # noqa: S608  names of ours
            list(people),
        )


class Projection(Protocol):
    """A read model in the making. `fold` is pure; `write` runs in the transaction of the cursors."""

    @property
    def name(self) -> str:
        """Its name in `read.cursors` and in the names of its tables."""

    @property
    def category(self) -> str | None:
        """Category of the streams that its rows are each about, as `question`; None where they are about people."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its views in the schema `read`; the table of generation 2 is the name with `_g2`."""

    @property
    def handles(self) -> frozenset[str]:
        """Public names of the events it folds."""

    def fold(self, events: Iterable[Seen], onto: Any = None) -> Any:  # noqa: ANN401  each has a shape of its own
        """Fold events, in position order, into what changes; onto what earlier events changed, which it takes over."""

    def rows(self, changes: Any) -> Mapping[str, Sequence[tuple[object, ...]]]:  # noqa: ANN401
        """Return the changes as rows, by table; those of a whole history are what the tables hold of it."""

    async def write(self, connection: Connection, changes: Any, generation: int) -> None:  # noqa: ANN401
        """Write the changes into the tables of a generation, at most one statement a table."""

    def cache_key(self, person_id: UUID) -> str | None:
        """Return the Redis key of the value that is made from a person's rows, if there is one."""

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return what Redis must hold of a person's rows, given what it holds; None where rows alone cannot say."""
