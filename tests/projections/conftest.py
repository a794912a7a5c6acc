"""The platform of the workers' tests, and a client that sees what Redis holds."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from adapters.cache import Cache
from projections.get_progress_summary import GetProgressSummary
from tests.workers.conftest import Platform, platform

__all__ = ["platform"]


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def cache_away(platform: Platform) -> AsyncIterator[GetProgressSummary]:
    """Return the query with a Redis that nobody reaches."""
    cache = Cache("redis://127.0.0.1:1/0")
    yield GetProgressSummary(platform.store.pool, platform.store.reader, cache)
    await cache.close()
