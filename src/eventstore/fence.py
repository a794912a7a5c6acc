"""Fence: reads that find the rows of the people whom one person may see and no others, whatever the query says.

Row-level security in Postgres sees to it, by the viewer whom each transaction names; without one there are no rows. A
filter or a check of access that was forgotten leaves an empty answer, and not another family's child.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

import asyncpg


class Reads(Protocol):
    """What a query needs of Postgres: a pool has it, and so has the view of one person through the fence."""

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows."""

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Return the first row."""

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401  whatever the query selects
        """Return the first value of the first row."""


class Fence:
    """Gives everyone their own view through one pool, whose role is fenced."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def seen_by(self, viewer_id: UUID) -> "View":
        """Return what finds only what this person may see."""
        return View(self._pool, viewer_id)


class View:
    """One person's view: every statement is a transaction that names them."""

    def __init__(self, pool: asyncpg.Pool, viewer_id: UUID) -> None:
        self._pool = pool
        self._begin = f"begin read only; set local afterschool.viewer = '{viewer_id}'"

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows."""
        async with self._named() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """Return the first row."""
        async with self._named() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401  whatever the query selects
        """Return the first value of the first row."""
        async with self._named() as connection:
            return await connection.fetchval(query, *args)

    @asynccontextmanager
    async def _named(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
        async with self._pool.acquire() as connection:
            try:
                await connection.execute(self._begin)  # both statements in one round trip
                yield connection
            finally:
                await connection.execute("rollback")
