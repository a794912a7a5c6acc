"""Audit: proof that the read models hold all that the log says, nothing twice and nothing else.

Every event up to a cursor was applied or is parked, which is counted for all; what the events add up to is folded again
from the beginning for some students drawn at random, and held against the rows in Postgres and the bytes in Redis.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Protocol
from uuid import UUID

import asyncpg

from projections.projection import Connection, Projection
from workers.refold import read_rows, refold

SAMPLE = 100
LOOKS = 10
"""Times that a value in Redis is compared before it is called wrong: an event may have come between two looks."""
_PAUSE = 0.1
_SECONDS = 600
"""Seconds that counting the log may take."""


class Gettable(Protocol):
    """Where cached values lie."""

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None where there is none or Redis is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Events of one generation: what was applied, what is parked, and what the log holds up to the cursors."""

    projection: str
    generation: int
    state: str
    applied: int
    parked: int
    handled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What was looked at, and every difference that was found, in a sentence."""

    generations: list[Counted]
    students: int
    """Those whose history was folded again."""
    questions: int
    """Likewise."""
    values: int
    """Those in Redis that were compared."""
    differences: list[str]


async def audit(
    pool: asyncpg.Pool, cache: Gettable, projections: Sequence[Projection], *, sample: int = SAMPLE, seed: int = 0
) -> Audited:
    """Compare the log, every generation that is live or fed, and Redis, at one moment each; nothing is changed."""
    found: list[str] = []
    async with _one_moment(pool) as connection:
        generations = await _count(connection, projections, found)
        await _check_views(connection, projections, found)
        students = await _draw(connection, sample, seed)
        drawn: dict[str | None, list[UUID]] = {None: students}
        for projection in projections:
            if projection.category and projection.category not in drawn:
                drawn[projection.category] = await _draw_streams(connection, projection.category, sample, seed)
            for counted in generations:
                if counted.projection == projection.name:
                    for one in drawn[projection.category]:
                        refolded = await refold(connection, projection, counted.generation, one)
                        found += [_of(counted, projection, one, words) for words in refolded.differences]
    values = [
        await _check_value(pool, cache, projection, student, found)
        for projection in projections
        for student in students
    ]
    others = sum(len(ids) for category, ids in drawn.items() if category)
    return Audited(
        generations=generations, students=len(students), questions=others, values=sum(values), differences=found
    )


def _of(counted: Counted, projection: Projection, one: UUID, words: str) -> str:
    whose = projection.category or "student"
    return f"{counted.projection}, generation {counted.generation}, {whose} {one}: {words}"


@asynccontextmanager
async def _one_moment(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await connection.execute(f"set local {limit} = '{_SECONDS}s'")
        yield connection


async def _count(connection: Connection, projections: Sequence[Projection], found: list[str]) -> list[Counted]:
    pairs = [(projection.name, handled) for projection in projections for handled in sorted(projection.handles)]
    rows = await connection.fetch(_COUNT, *map(list, zip(*pairs, strict=True)), timeout=_SECONDS)
    totals: dict[tuple[str, int, str], Counter[str]] = {}
    for name, generation, state, part, *numbers in rows:
        applied, waiting, parked, not_discarded, handled = numbers
        here = f"{name}, generation {generation}, part {part}"
        if applied + parked != handled:
            found.append(f"{here}: {applied} applied and {parked} parked, but the log holds {handled}")
        if waiting != not_discarded:
            found.append(f"{here}: the cursor says {waiting} wait, but {not_discarded} do")
        total = totals.setdefault((name, generation, state), Counter())
        total.update(applied=applied, parked=parked, handled=handled)
    return [
        Counted(projection=name, generation=generation, state=state, **total)
        for (name, generation, state), total in totals.items()
    ]


# The log is read once: up to the slowest cursor of a part events are counted for all generations together.
_COUNT = """
with handled as (
    select * from unnest($1::text[], $2::text[]) as handled(projection, type)
),
cursors as (
    select cursors.*, state from read.cursors join read.generations using (projection, generation)
    where state <> 'filling' and projection in (select projection from handled)
),
slowest as (
    select part, min(position) as position from cursors group by part
),
early as materialized (
    select events.part, type, count(*) as events from events join slowest using (part)
    where events.position <= slowest.position group by events.part, type
),
late as (
    select projection, generation, events.part, count(*) as events
    from events
    join slowest using (part)
    join cursors using (part)
    join handled using (projection, type)
    where events.position > (select min(position) from slowest)
        and events.position > slowest.position and events.position <= cursors.position
    group by projection, generation, events.part
),
set_aside as (
    select projection, generation, part, count(*) as parked, count(*) filter (where discarded_at is null) as waiting
    from read.parked_events group by projection, generation, part
)
select
    projection, generation, state, part, applied, cursors.parked as waiting, coalesce(set_aside.parked, 0) as parked,
    coalesce(set_aside.waiting, 0) as not_discarded, coalesce(late.events, 0) + coalesce((
        select sum(early.events)::bigint from early join handled using (type)
        where early.part = cursors.part and handled.projection = cursors.projection
    ), 0) as handled
from cursors
left join late using (projection, generation, part)
left join set_aside using (projection, generation, part)
order by projection, generation, part
"""


async def _check_views(connection: Connection, projections: Sequence[Projection], found: list[str]) -> None:
    rows = await connection.fetch(
        """
        select distinct view.relname as view, source.relname as source
        from pg_class as view
        join pg_rewrite on ev_class = view.oid
        join pg_depend on objid = pg_rewrite.oid and classid = 'pg_rewrite'::regclass
        join pg_class as source on source.oid = refobjid and refclassid = 'pg_class'::regclass
        where view.relnamespace = 'read'::regnamespace and view.relkind = 'v' and source.oid <> view.oid
        """
    )
    sources = {row["view"]: row["source"] for row in rows}
    for projection in projections:
        live = await connection.fetchval(
            "select generation from read.generations where projection = $1 and state = 'live'", projection.name
        )
        found += [
            f"{projection.name}: readers of {table} see {sources.get(table)}, but generation {live} is live"
            for table in projection.tables
            if sources.get(table) != f"{table}_g{live}"
        ]


async def _draw(connection: Connection, sample: int, seed: int) -> list[UUID]:
    """Draw students by events drawn at random, so that everyone's chance grows with what the log says of them."""
    random, head = Random(seed), await connection.fetchval("select coalesce(max(position), 0) from events")  # noqa: S311  no secret
    students, looks = list[UUID](), 0
    while len(students) < sample and looks < head:
        looks = min(4 * max(looks, sample), head)
        rows = await connection.fetch(
            "select distinct subject from events where position = any($1) and subject is not null order by subject",
            random.sample(range(1, head + 1), looks),
        )
        students = [row["subject"] for row in rows]
    return random.sample(students, min(sample, len(students)))


async def _draw_streams(connection: Connection, category: str, sample: int, seed: int) -> list[UUID]:
    """Draw the ids of streams about something else than people, each as likely as another."""
    rows = await connection.fetch(
        f"select distinct stream from events where stream like '{category}-%' order by stream"  # noqa: S608  a word of ours
    )
    ids = [UUID(row["stream"][-36:]) for row in rows]
    return Random(seed).sample(ids, min(sample, len(ids)))  # noqa: S311  no secret


async def _check_value(
    pool: asyncpg.Pool, cache: Gettable, projection: Projection, student: UUID, found: list[str]
) -> bool:
    """Compare a cached value with the rows that readers see; return whether there is one."""
    key = projection.cache_key(student)
    if key is None:
        return False
    for _ in range(LOOKS):
        value = await cache.get(key)
        if value is None:
            return False
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await read_rows(connection, projection, None, student)
        try:
            expected = projection.cached(rows, value, datetime.now(UTC))
        except (ValueError, LookupError, TypeError):
            expected = b""
        if expected is None:
            return False
        if value == expected:
            return True
        await asyncio.sleep(_PAUSE)
    found.append(f"{projection.name}, student {student}: Redis holds something else than Postgres")
    return True
