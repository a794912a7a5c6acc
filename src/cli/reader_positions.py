"""Reader positions: how far each projection has folded the log, and how old the oldest event is that it has not."""

from dataclasses import dataclass

import asyncpg

WINDOW = 100_000
"""Events behind the slowest part that are looked at one by one; whatever lies beyond them counts as not folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPosition:
    """A projection's slowest part, and what it still has to fold."""

    name: str
    position: int
    lag_events: int
    lag_seconds: float
    """Age of the oldest event that is not folded yet; 0 when there is none."""
    forked: bool
    """A cursor names another event than the log holds there: the log was restored, the read model must be rebuilt."""


async def read_head(connection: asyncpg.Connection) -> int:
    """Return the log's last position, 0 for an empty log."""
    head: int = await connection.fetchval("select coalesce(max(position), 0) from events")
    return head


async def read_positions(connection: asyncpg.Connection) -> list[ReaderPosition]:
    """Return every projection's position, by name."""
    rows = await connection.fetch(
        """
        with log as (select coalesce(max(position), 0) as head from events),
        cursors as (
            select cursors.* from read.cursors join read.generations using (projection, generation)
            where state = 'live'
        ),
        slowest as (select projection, min(position) as position from cursors group by projection)
        select
            projection as name, slowest.position, forks.forked,
            unfolded.events + greatest(head - slowest.position - $1, 0) as lag_events,
            coalesce(round(extract(epoch from clock_timestamp() - coalesce(
                unfolded.oldest, (select recorded_at from events where position = slowest.position + $1 + 1)
            )), 3), 0)::float8 as lag_seconds
        from log cross join slowest
        cross join lateral (
            select bool_or(
                cursors.position > 0 and events.event_id is distinct from cursors.event_id
            ) as forked
            from cursors left join events using (position) where cursors.projection = slowest.projection
        ) as forks
        cross join lateral (
            select count(*) as events, min(tail.recorded_at) as oldest
            from (
                select part, position, recorded_at from events
                where position > slowest.position order by position limit $1
            ) as tail
            join cursors on cursors.projection = slowest.projection and cursors.part = tail.part
                and cursors.position < tail.position
        ) as unfolded
        order by projection
        """,
        WINDOW,
    )
    return [ReaderPosition(**row) for row in rows]
