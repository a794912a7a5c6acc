"""Pool: the connections of one command, given back in order however it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from adapters.migrations import MigrationsRefused
from adapters.settings import PREFIX, Settings, SettingsInvalid
from eventstore.connections import LOST, create_pool

_PATIENCE = 2.0
"""Seconds that a statement under way may take to end when the command ends."""


@asynccontextmanager
async def open_pool(settings: Settings, role: str, *, size: int) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool that acts as `role`.

    Raises `MigrationsRefused` at the first use of a database without our schema, `SettingsInvalid` when Postgres does
    not let us in.
    """
    pool = await create_pool(settings.database_url.get_secret_value(), role, size=size)
    try:
        yield pool
    except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError):  # the latter says: no such role
        raise MigrationsRefused("The database has no schema yet: afterschool migrate.") from None
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise SettingsInvalid(f"{PREFIX}DATABASE_URL: Postgres refuses it ({type(error).__name__})") from None
    finally:
        with suppress(*LOST):  # a time-out among them, upon which the pool breaks its connections off
            await asyncio.wait_for(pool.close(), _PATIENCE)
