"""Pool: the connections of one command, given back in order however it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from adapters.settings import Settings
from eventstore.connections import LOST, create_pool

_PATIENCE = 2.0
"""Seconds that a statement under way may take to end when the command ends."""


@asynccontextmanager
async def open_pool(settings: Settings, role: str, *, size: int) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool that acts as `role`."""
    pool = await create_pool(settings.database_url.get_secret_value(), role, size=size)
    try:
        yield pool
    finally:
        with suppress(*LOST):  # a time-out among them, upon which the pool breaks its connections off
            await asyncio.wait_for(pool.close(), _PATIENCE)
