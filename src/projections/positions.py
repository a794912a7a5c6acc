"""Positions: how far every reader of the log has come, and how old the oldest event is that it has not dealt with.

Worked out from the database alone, so that a reader that has stopped, hangs or is frozen is seen as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from projections.projection import Connection

WINDOW = 100_000
"""Events behind the slowest part that are looked at one by one; whatever lies beyond them counts as not folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPosition:
    """The position up to which a reader, or the slowest part of it, has dealt with the log."""

    name: str
    position: int
    lag_events: int
    lag_seconds: float
    """Age of the oldest event that is not dealt with yet; 0 when there is none."""
    forked: bool
    """It names another event than the log holds there: the log was restored, and the reader must begin again."""
    parked: int = 0
    """Events that could not be folded, and those that wait behind them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationPosition(ReaderPosition):
    """How far one generation of a read model has come."""

    generation: int
    state: str
    """`live`, `fed` or `filling`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPosition(ReaderPosition):
    """The relay's checkpoint."""

    leads: bool
    """A relay holds the lead at this moment."""


async def read_head(connection: Connection | asyncpg.Pool) -> int:
    """Return the log's last position, 0 for an empty log."""
    return await connection.fetchval("select coalesce(max(position), 0) from events")  # type: ignore[no-any-return]


async def read_positions(connection: Connection | asyncpg.Pool) -> list[ReaderPosition]:
    """Return the position of every projection's live generation, by name."""
    return [*await read_generation_positions(connection, ["live"])]


async def read_generation_positions(
    connection: Connection | asyncpg.Pool, states: Sequence[str]
) -> list[GenerationPosition]:
    """Return the position of every projection's generations in these states, by name and number."""
    rows = await connection.fetch(
        """
        with log as (select coalesce(max(position), 0) as head from events),
        cursors as (
            select cursors.*, state from read.cursors join read.generations using (projection, generation)
            where state = any($2)
        ),
        slowest as (
            select projection, generation, state, min(position) as position, sum(parked)::int as parked,
                array_agg(position order by part) as by_part
            from cursors group by projection, generation, state
        )
        select
            projection as name, generation, state, slowest.position, slowest.parked, forks.forked,
            unfolded.events + greatest(head - slowest.position - $1, 0) as lag_events,
            coalesce(round(extract(epoch from clock_timestamp() - coalesce(
                unfolded.oldest, (select recorded_at from events where position = slowest.position + $1 + 1)
            )), 3), 0)::float8 as lag_seconds
        from log cross join slowest
        cross join lateral (
            select bool_or(
                cursors.position > 0 and events.event_id is distinct from cursors.event_id
            ) as forked
            from cursors left join events using (position)
            where (cursors.projection, cursors.generation) = (slowest.projection, slowest.generation)
        ) as forks
        cross join lateral (
            select count(*) as events, min(tail.recorded_at) as oldest
            from (
                select part, position, recorded_at from events
                where position > slowest.position order by position limit $1
            ) as tail
            where position > slowest.by_part[part + 1]
        ) as unfolded
        order by projection, generation
        """,
        WINDOW,
        states,
    )
    return [GenerationPosition(**row) for row in rows]


async def read_relay(connection: Connection | asyncpg.Pool) -> RelayPosition:
    """Return the relay's checkpoint, and whether somebody leads."""
    row = await connection.fetchrow(
        """
        select
            'relay' as name, relay.position, until > clock_timestamp() as leads,
            relay.position > 0 and here.event_id is distinct from relay.event_id as forked,
            (select coalesce(max(position), 0) from events) - relay.position as lag_events,
            coalesce(extract(epoch from clock_timestamp() - next.recorded_at), 0)::float8 as lag_seconds
        from fanout.relay
        left join events as here on here.position = relay.position
        left join events as next on next.position = relay.position + 1
        """
    )
    return RelayPosition(**dict(row or {}))
