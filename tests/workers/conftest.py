"""A log, a projector on it, and the queries of its read models."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.cache import Cache
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.migrations import migrate
from eventstore.connections import PROJECTOR, create_pool
from projections.get_progress_summary import GetProgressSummary
from projections.projection import Projection
from projections.read_models import READ_MODELS
from projections.user_profile import GetUserProfile
from tests.eventstore.conftest import Store, close_store, key_set, open_store
from workers.projector import Projector
from workers.subscription import TailingSubscription

pytest.register_assert_rewrite("tests.workers.read_models", "tests.workers.subscription_contract")


@dataclass
class Platform:
    """The log and what reads it, in one process."""

    store: Store
    pool: asyncpg.Pool
    cache: Cache
    projector: Projector
    summary: GetProgressSummary
    profile: GetUserProfile

    async def project(self) -> None:
        """Fold everything that the log holds by now."""
        head = await self.store.reader.head()
        async for delivery in TailingSubscription(self.store.reader, await self.projector.cursors()).deliveries():
            await self.projector.apply(delivery)
            if delivery.position >= head:
                return


def new_projector(pool: asyncpg.Pool, cache: Cache, *instead: Projection) -> Projector:
    """Return a projector of all read models, of which some may be others of the same name."""
    by_name = {projection.name: projection for projection in (*READ_MODELS, *instead)}
    return Projector(pool, cache, tuple(by_name.values()))


@asynccontextmanager
async def open_platform(database: str, redis_url: str) -> AsyncIterator[Platform]:
    """Open everything on these two machines."""
    store = await open_store(database, key_set(1), key_set(1))
    pool = await create_pool(database, PROJECTOR, size=3)
    cache = Cache(redis_url, timeout=5.0)
    yield Platform(
        store,
        pool,
        cache,
        new_projector(pool, cache),
        GetProgressSummary(pool, store.reader, cache),
        GetUserProfile(pool, store.reader, store.keys, cache),
    )
    await cache.close()
    await pool.close()
    await close_store(store)


@pytest.fixture
async def platform(database: str, redis_url: str) -> AsyncIterator[Platform]:
    async with open_platform(database, redis_url) as opened:
        yield opened


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """Return a client that sees what Redis holds."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@dataclass
class OwnMachine:
    """A Postgres and a Valkey that a test may kill, and the platform on them."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    platform: Platform

    async def kill_postgres(self) -> None:
        """End the whole server at once; its sessions see their connections break."""
        await _kill(self.postgres.process)

    async def kill_valkey(self) -> None:
        """End the server and forget everything in it."""
        await _kill(self.valkey.process)


@pytest.fixture
async def own_machine(machine: Path) -> AsyncIterator[OwnMachine]:
    postgres, valkey = EmbeddedPostgres(machine / "own-postgres", durable=False), EmbeddedValkey(machine / "own-valkey")
    await asyncio.gather(postgres.start(), valkey.start())
    await migrate(postgres.url)
    async with open_platform(postgres.url, valkey.url) as platform:
        yield OwnMachine(postgres, valkey, platform)
    await asyncio.gather(postgres.stop(), valkey.stop())
    shutil.rmtree(postgres.place)


async def _kill(process: asyncio.subprocess.Process | None) -> None:
    assert process
    process.kill()
    await process.wait()
