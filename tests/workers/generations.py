"""Generations: rebuilding, switching and comparing the read models of a test's platform."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from eventstore.codec import decode
from projections.projection import Projection, Seen
from projections.read_models import READ_MODELS
from tests.workers.conftest import Platform
from tests.workers.running import eventually, everything_is_folded, running
from tests.workers.students import live, practise
from workers.filling import FLUSH
from workers.rebuild import Rebuilt, rebuild
from workers.subscription import TailingSubscription

BY_NAME: dict[str, Projection] = {projection.name: projection for projection in READ_MODELS}
SUMMARIES = BY_NAME["progress_summary"]

Connection = asyncpg.Pool | asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


async def rebuilt(platform: Platform, projection: Projection = SUMMARIES, *, flush: int = FLUSH) -> list[Rebuilt]:
    """Rebuild a read model and return every step."""
    return [step async for step in rebuild(platform.store.dsn, projection, flush=flush)]


async def rows_of(connection: Connection, projection: Projection, generation: int) -> list[str]:
    """Return every row of a generation as text, in one fixed order."""
    rows = []
    for table in projection.tables:
        found = await connection.fetch(
            f'select t::text as row from read.{table}_g{generation} as t order by t::text collate "C"'
        )
        rows += [f"{table} {row['row']}" for row in found]
    return rows


async def cursors_of(connection: Connection, projection: Projection, generation: int) -> list[tuple[object, ...]]:
    """Return part, position, event id, applied and parked of every cursor that has moved."""
    rows = await connection.fetch(
        """
        select part, position, event_id, applied, parked from read.cursors
        where projection = $1 and generation = $2 order by part
        """,
        projection.name,
        generation,
    )
    return [tuple(row) for row in rows]


async def states_of(connection: Connection, projection: Projection = SUMMARIES) -> dict[int, str]:
    """Return the states of a read model's generations."""
    rows = await connection.fetch(
        "select generation, state from read.generations where projection = $1 order by 1", projection.name
    )
    return {row["generation"]: row["state"] for row in rows}


async def assert_alike(platform: Platform, projection: Projection, one: int, other: int) -> None:
    """Hold a generation's rows and cursors against another's, in one snapshot, and the other's against the log."""
    async with platform.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await rows_of(connection, projection, one)
        assert rows == await rows_of(connection, projection, other)
        assert await cursors_of(connection, projection, one) == await cursors_of(connection, projection, other)
        positions = {part: position for part, position, *_ in await cursors_of(connection, projection, other)}
    records = [
        record
        for record in await platform.store.reader.read(0, limit=1_000_000)
        if record.type in projection.handles and record.position <= positions[record.part]  # type: ignore[operator]
    ]
    made = projection.rows(projection.fold([Seen(decode(record), record) for record in records]))
    assert len(rows) == sum(map(len, made.values()))


@asynccontextmanager
async def at_work(platform: Platform, writers: int = 3, pause: float = 0) -> AsyncIterator[None]:
    """Let a projector run, and students practise without a pause."""
    students = await live(platform.store, people=writers, reports=1)
    subscription = TailingSubscription(platform.store.reader, await platform.projector.cursors(), heartbeat=0.1)

    async def write(student: UUID) -> None:
        while True:
            await practise(platform.store, student, topic="meanwhile")
            await asyncio.sleep(pause)

    async with running(platform.projector, subscription):
        writing = [asyncio.create_task(write(student)) for student in students]
        try:
            yield
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            await eventually(lambda: everything_is_folded(platform))


async def catch_up(platform: Platform) -> None:
    """Project everything, the parts without events included."""
    subscription = TailingSubscription(platform.store.reader, await platform.projector.cursors(), heartbeat=0.05)
    head = await platform.store.reader.head()

    async def has_come() -> bool:
        position: int = await platform.pool.fetchval("select min(position) from read.cursors")
        return position >= head

    async with running(platform.projector, subscription):
        await eventually(has_come)
