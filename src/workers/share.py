"""Share: which of a group's queues this process reads, so that processes share them evenly, whoever comes or goes.

Every process keeps a row in Postgres alive; the living, in order, take the queues in turn. Two that disagree for a
moment do no harm: a queue serves one consumer at a time, and cursors are locked.
"""

from contextlib import suppress
from uuid import uuid4

import asyncpg

from eventstore.connections import LOST

SECONDS = 4.0
"""How long a process may be silent before the others take over its queues."""
LEAVING = 1.0
"""Seconds that saying goodbye may take."""


class Share:
    """One process's claim to its share of a group's queues."""

    def __init__(self, pool: asyncpg.Pool, group: str, queues: int, *, seconds: float = SECONDS) -> None:
        self.group = group
        self.count = queues
        """Queues of the group."""
        self.seconds = seconds
        self.queues: frozenset[int] = frozenset()
        """Numbers of the queues that were ours when the share was last renewed."""
        self._pool = pool
        self._id = uuid4()

    async def renew(self) -> None:
        """Stay one of the readers, forget those who are gone, and find out what is ours now."""
        rows = await self._pool.fetch(
            """
            with gone as (
                delete from fanout.readers where reads = $2 and until < clock_timestamp() and id <> $1
            ), this as (
                insert into fanout.readers values ($1, $2, clock_timestamp() + make_interval(secs => $3))
                on conflict (id) do update set until = excluded.until
                returning id
            )
            select id from this union select id from fanout.readers where reads = $2 and until >= clock_timestamp()
            order by id
            """,
            self._id,
            self.group,
            self.seconds,
        )
        readers = [row["id"] for row in rows]
        self.queues = frozenset(range(readers.index(self._id), self.count, len(readers)))

    async def leave(self) -> None:
        """Let the others take over at once; where that cannot be said, they notice."""
        self.queues = frozenset()
        with suppress(*LOST, asyncpg.PostgresError):
            await self._pool.execute("delete from fanout.readers where id = $1", self._id, timeout=LEAVING)
