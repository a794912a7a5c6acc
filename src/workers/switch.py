"""Switch: readers see another generation from one moment on; none fails, and none sees an older state than before.

Only a generation that says the same as the live one at one position is switched to, unless the operator accepts
differences: then it must at least say what today's code makes of the log.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import asyncpg
import structlog

from projections.cache import CacheAway, Values
from projections.projection import Projection
from workers.generations import GenerationsRefused, changing, drop, live_of, lock_cursors, read_generations
from workers.parity import PartDifference, find_differences, find_uneven_parts
from workers.refold import refold

ATTEMPTS = 60
GIVES_WAY = "200ms"
"""How long the switch waits for a lock, and readers behind it, before it lets them go first."""
SAMPLE = 50
"""Students with differences whose history is folded again."""

logger = structlog.get_logger()


class Switched(NamedTuple):
    """What readers see now, what they saw before, and the differences that were accepted."""

    generation: int
    before: int
    differences: list[PartDifference]


async def switch(dsn: str, projection: Projection, cache: Values, *, accept_differences: bool = False) -> Switched:
    """Let readers see the newer generation; the one before stays fed.

    Raises `GenerationsRefused` unless both stand at the same positions and hold the same rows. With
    `accept_differences`, rows may differ where the log, folded by today's code, says what the newer one says; but what
    the live one has folded must not be parked in the newer one. Called again after it was stopped on its way, it
    finishes.
    """
    async with changing(dsn, projection.name) as connection:
        generations = await read_generations(connection, projection.name)
        live, newest = live_of(generations), max(generations)
        if newest == live:
            await forget(cache)
            raise GenerationsRefused(
                f"Generation {live} of {projection.name} is live and none is newer; rebuild first."
            )
        if generations[newest] == "filling":
            raise GenerationsRefused(
                f"Generation {newest} of {projection.name} is not complete; rebuild goes on with it."
            )
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await _check_positions(connection, projection, live, newest)
            await _check_parked(connection, projection, live, newest)
            differences = await find_differences(connection, projection, live, newest)
            if differences and not accept_differences:
                raise GenerationsRefused(_in_words(projection, live, newest, differences))
            await _check_sample(connection, projection, newest, differences)
        await _swap(connection, projection, live, newest)
        await forget(cache)
    return Switched(newest, live, differences)


async def rollback(dsn: str, projection: Projection, cache: Values) -> Switched:
    """Let readers see the generation before the live one again, whatever differs; the live one stays fed.

    Raises `GenerationsRefused` where there is none, or where the two do not stand at the same positions.
    """
    async with changing(dsn, projection.name) as connection:
        generations = await read_generations(connection, projection.name)
        live = live_of(generations)
        before = max((n for n, state in generations.items() if n < live and state == "fed"), default=None)
        if before is None:
            await forget(cache)
            raise GenerationsRefused(f"Generation {live} of {projection.name} is live and none before it is kept.")
        await _swap(connection, projection, live, before)
        await forget(cache)
    return Switched(before, live, [])


async def drop_others(dsn: str, projection: Projection) -> list[int]:
    """Remove every generation that is not live, and return which."""
    async with changing(dsn, projection.name) as connection:
        generations = await read_generations(connection, projection.name)
        others = [number for number, state in generations.items() if state != "live"]
        for number in others:
            await drop(connection, projection, number)
    return others


async def forget(cache: Values) -> None:
    """Drop every cached value, and every right to fill one; does not give up while Redis is away."""
    while True:
        try:
            return await cache.drop_values()
        except CacheAway:
            logger.warning("switch_waits_for_redis")
            await asyncio.sleep(0.5)


async def _swap(connection: asyncpg.Connection, projection: Projection, old: int, new: int) -> None:
    for attempt in range(ATTEMPTS):
        try:
            return await _try_swap(connection, projection, old, new)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(0.01 * min(attempt + 1, 20))
    raise GenerationsRefused(f"Somebody has been reading {projection.name} all the time; try again later.")


async def _try_swap(connection: asyncpg.Connection, projection: Projection, old: int, new: int) -> None:
    # Readers lock the views in the order of `tables`, and so does this; where they meet, this gives way first.
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{GIVES_WAY}'")
        await lock_cursors(connection, projection.name, [old, new])
        await _check_positions(connection, projection, old, new)
        for table in projection.tables:
            shown = f"select * from read.{table}_g{new}"  # noqa: S608  names of ours
            await connection.execute(f"create or replace view read.{table} with (security_invoker = true) as {shown}")
        for generation, state in ((old, "fed"), (new, "live")):
            await connection.execute(
                """
                update read.generations
                set state = $3, live_at = case when $3 = 'live' then clock_timestamp() else live_at end
                where projection = $1 and generation = $2
                """,
                projection.name,
                generation,
                state,
            )


async def _check_positions(connection: asyncpg.Connection, projection: Projection, one: int, other: int) -> None:
    if uneven := await find_uneven_parts(connection, projection, one, other):
        raise GenerationsRefused(
            f"Generations {one} and {other} of {projection.name} stand at different positions in part "
            f"{', '.join(map(str, uneven))}: a projector that runs brings them together."
        )


async def _check_parked(connection: asyncpg.Connection, projection: Projection, live: int, new: int) -> None:
    """Refuse a generation that would show some students an older state, because their events wait in it alone."""
    students = await connection.fetch(
        """
        select distinct student_id from read.parked_events as parked
        where (projection, generation) = ($1, $3) and discarded_at is null and not exists (
            select from read.parked_events
            where (projection, generation, position) = ($1, $2, parked.position) and discarded_at is null
        ) limit 3
        """,
        projection.name,
        live,
        new,
    )
    if students:
        raise GenerationsRefused(
            f"Generation {new} of {projection.name} has events parked that the live one has not, of "
            f"{', '.join(str(row['student_id']) for row in students)}: see `afterschool parked list`."
        )


async def _check_sample(
    connection: asyncpg.Connection, projection: Projection, generation: int, differences: Sequence[PartDifference]
) -> None:
    """Refuse a generation whose differences are not what the log says."""
    students = [student for difference in differences for student in difference.some]
    for student in Random(0).sample(students, min(SAMPLE, len(students))):  # noqa: S311  any will do
        if wrong := (await refold(connection, projection, generation, student)).differences:
            raise GenerationsRefused(
                f"Generation {generation} of {projection.name} is not what the log says of {student}: {wrong[0]}."
            )


def _in_words(projection: Projection, live: int, new: int, differences: Sequence[PartDifference]) -> str:
    lines = [f"Generations {live} and {new} of {projection.name} differ:"]
    whose = f"{projection.category or 'student'}s"
    for part, differing, some in differences:
        more = ", …" if differing > len(some) else ""
        lines.append(f"  part {part}: {differing} {whose} ({', '.join(map(str, some))}{more})")
    lines.append("If a fold was mended, look at some of them, then switch with --accept-differences.")
    return "\n".join(lines)
