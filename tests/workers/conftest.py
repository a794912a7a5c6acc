"""A log, a projector on it, and the queries of its read models."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from adapters.cache import Cache
from eventstore.connections import PROJECTOR, create_pool
from projections.get_progress_summary import GetProgressSummary
from projections.progress_records import ProgressRecords
from projections.progress_summary import ProgressSummaries
from projections.user_profile import GetUserProfile, UserProfiles
from tests.eventstore.conftest import Store, close_store, key_set, open_store
from workers.projector import Projector
from workers.subscription import TailingSubscription


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


def new_projector(pool: asyncpg.Pool, cache: Cache) -> Projector:
    return Projector(pool, cache, (UserProfiles(), ProgressRecords(), ProgressSummaries()))


@pytest.fixture
async def platform(database: str, redis_url: str) -> AsyncIterator[Platform]:
    store = await open_store(database, key_set(1), key_set(1))
    pool = await create_pool(database, PROJECTOR, size=3)
    cache = Cache(redis_url)
    yield Platform(
        store,
        pool,
        cache,
        new_projector(pool, cache),
        GetProgressSummary(store.pool, store.reader, cache),
        GetUserProfile(store.pool, store.reader, store.keys, cache),
    )
    await cache.close()
    await pool.close()
    await close_store(store)
