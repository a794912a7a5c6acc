"""A foreign writer: another process's append that holds its transaction open for as long as a test likes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from eventstore.append import Append
from eventstore.appender import _CALL, _columns
from eventstore.connections import APP


@dataclass(frozen=True)
class Held:
    """A transaction that has appended and not ended."""

    base: int
    """Position behind which its events stand, if it ever commits."""
    transaction: asyncpg.transaction.Transaction

    async def commit(self) -> None:
        """Make it true."""
        await self.transaction.commit()

    async def roll_back(self) -> None:
        """Undo it."""
        await self.transaction.rollback()


@asynccontextmanager
async def holding(dsn: str, *appends: Append) -> AsyncIterator[Held]:
    """Append and keep the transaction open; leaving without `commit` loses the connection, which rolls it back."""
    connection = await asyncpg.connect(dsn, server_settings={"role": APP})
    try:
        transaction = connection.transaction()
        await transaction.start()
        row = await connection.fetchrow(_CALL, datetime.now(UTC), *_columns(appends))
        assert row
        yield Held(row["base"], transaction)
    finally:
        connection.terminate()


async def waiting_for_the_lock(dsn: str, backends: int) -> None:
    """Return when so many backends stand in line for the log's lock."""
    connection = await asyncpg.connect(dsn)
    try:

        async def are_waiting() -> bool:
            query = """
                select count(*) from pg_locks join pg_database on pg_database.oid = database
                where locktype = 'advisory' and not granted and datname = current_database()
            """
            return bool(await connection.fetchval(query) >= backends)

        await until(are_waiting)
    finally:
        await connection.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  another process changes it
            await asyncio.sleep(0.005)
