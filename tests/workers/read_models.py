"""Read models: every row of them as text, so that two ways of making them can be compared."""

import asyncpg

from eventstore.codec import decode
from projections.progress_summary import read_summary, render
from projections.projection import Seen
from projections.read_models import READ_MODELS
from tests.projections.history import summaries_of
from tests.workers.conftest import Platform

TABLES = tuple(table for projection in READ_MODELS for table in projection.tables)

Connection = asyncpg.Pool | asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


async def dump(connection: Connection) -> str:
    """Return all rows of all read models, in one fixed order."""
    parts = []
    for table in TABLES:
        rows = await connection.fetch(f'select t::text as row from read.{table}_g1 as t order by t::text collate "C"')
        parts += [f"{table} {row['row']}" for row in rows]
    return "\n".join(parts)


async def dump_of_fold(pool: asyncpg.Pool, seen: list[Seen]) -> str:
    """Return the rows that these events make when folded at once, onto nothing."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await _delete_rows(connection)
        for projection in READ_MODELS:
            await projection.write(connection, projection.fold(seen), 1)
        rows = await dump(connection)
        await transaction.rollback()
    return rows


async def wipe(dsn: str) -> None:
    """Forget all rows and cursors, as the owner may."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await _delete_rows(connection)
            await connection.execute(
                "update read.cursors set position = 0, event_id = null, applied = 0, parked = 0 where position > 0"
            )
            await connection.execute("delete from read.parked_events")
    finally:
        await connection.close()


async def assert_read_models_are_the_fold(platform: Platform) -> None:
    """Hold every row, and how many events each projection applied, against the log; and Redis against the rows."""
    records = await platform.store.reader.read(0)
    seen = [Seen(decode(record), record) for record in records]
    assert await dump(platform.pool) == await dump_of_fold(platform.pool, seen)

    applied = await platform.pool.fetch("select projection, sum(applied)::int from read.cursors group by 1")
    assert {name: count for name, count in applied} == {  # noqa: C416  rows are no pairs to mypy
        projection.name: sum(record.type in projection.handles for record in records) for projection in READ_MODELS
    }

    for student, summary in summaries_of(seen).items():
        stored = await read_summary(platform.pool, student)
        assert stored
        day = summary.recorded_at.date()
        assert render(student, stored, day) == render(student, summary, day)


async def _delete_rows(connection: Connection) -> None:
    for table in TABLES:
        await connection.execute(f"delete from read.{table}_g1")
