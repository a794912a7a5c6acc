"""Connections: how each kind of reader and writer reaches Postgres, its role and its time limits."""

import asyncio

import asyncpg

APP = "afterschool_app"
QUERIES = "afterschool_queries"
PROJECTOR = "afterschool_projector"
KEYS = "afterschool_keys"
HOUSEKEEPER = "afterschool_housekeeper"

LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
)
"""What a broken connection raises: the outcome of a statement under way is unknown."""

_LIMITS = {
    "statement_timeout": "10000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "10000",
    "jit": "off",
}


async def connect_writer(dsn: str) -> asyncpg.Connection:
    """Open the appender's connection: durable commits and a fresh look behind the lock, whatever the server prefers."""
    return await asyncpg.connect(
        dsn,
        timeout=2,
        server_settings={
            **_LIMITS,
            "role": APP,
            "synchronous_commit": "on",
            "default_transaction_isolation": "read committed",
            "application_name": "afterschool-append",
        },
    )


async def connect_listener(dsn: str, role: str) -> asyncpg.Connection:
    """Open a connection that only listens."""
    return await asyncpg.connect(
        dsn, timeout=2, server_settings={"role": role, "application_name": "afterschool-listen"}
    )


async def create_pool(dsn: str, role: str, *, size: int) -> asyncpg.Pool:
    """Open a pool that acts as `role`; it needs no server to be there yet."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        timeout=2,
        command_timeout=10,
        server_settings={**_LIMITS, "role": role, "application_name": f"{role.replace('_', '-')}"},
    )
