"""Erasures: which of them the log knows, and which are done outside of it too."""

from collections.abc import Collection
from datetime import UTC
from uuid import UUID

import asyncpg

from commands.ports import Erasure


class PostgresErasures:
    """The port `commands.ports.Erasures` on the log and the table `erasures`. The pool acts as `afterschool_app`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def nobody_yet(self) -> bool:
        """Tell whether nobody has ever registered, and so nobody can have been erased."""
        return bool(await self._pool.fetchval("select not exists (select from events where type = 'UserRegistered')"))

    async def unfinished(self, after: int, limit: int) -> list[Erasure]:
        """Return who was erased in the log behind a position but not everywhere, the first of them first."""
        rows = await self._pool.fetch(
            """
            select e.subject, e.position, e.recorded_at from events as e
            where e.type = 'UserErased' and e.position > $1
                and not exists (select from erasures as d where d.person_id = e.subject and d.position = e.position)
            order by e.position limit $2
            """,
            after,
            limit,
        )
        return [Erasure(person_id, position, at.astimezone(UTC).date()) for person_id, position, at in rows]

    async def finish(self, erasure: Erasure) -> None:
        """Note that nothing is left to do."""
        await self._pool.execute(
            """
            insert into erasures (person_id, position) values ($1, $2)
            on conflict (person_id) do update set position = excluded.position, done_at = excluded.done_at
            """,
            erasure.person_id,
            erasure.position,
        )

    async def forgotten(self, people: Collection[UUID]) -> list[UUID]:
        """Return those whom the log knows and does not know to be erased, as after an older backup was restored."""
        rows = await self._pool.fetch(
            """
            select person_id from unnest($1::uuid[]) as person_id
            where exists (select from events where subject = person_id)
                and person_id not in (select subject from events where type = 'UserErased')
            """,
            list(people),
        )
        return [person_id for (person_id,) in rows]
