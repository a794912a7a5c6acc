"""Read models: every row of them as text, so that two ways of making them can be compared."""

import asyncpg

TABLES = ("user_profile", "progress_records", "progress_students", "progress_topics", "progress_activity")


async def dump(connection: asyncpg.Pool | asyncpg.pool.PoolConnectionProxy) -> str:
    """Return all rows of all read models, in one fixed order."""
    parts = []
    for table in TABLES:
        rows = await connection.fetch(f'select t::text as row from read.{table}_g1 as t order by t::text collate "C"')
        parts += [f"{table} {row['row']}" for row in rows]
    return "\n".join(parts)


async def wipe(dsn: str) -> None:
    """Forget all rows and cursors, as the owner may."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            for table in TABLES:
                await connection.execute(f"delete from read.{table}_g1")
            await connection.execute(
                "update read.cursors set position = 0, event_id = null, applied = 0 where position > 0"
            )
    finally:
        await connection.close()
