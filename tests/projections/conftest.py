"""The platform of the workers' tests, and queries that find no Redis."""

from collections.abc import AsyncIterator

import pytest

from adapters.cache import Cache
from projections.get_progress_summary import GetProgressSummary
from tests.workers.conftest import Platform, platform, redis_client

__all__ = ["platform", "redis_client"]


@pytest.fixture
async def cache_away(platform: Platform) -> AsyncIterator[GetProgressSummary]:
    """Return the query with a Redis that nobody reaches."""
    cache = Cache("redis://127.0.0.1:1/0")
    yield GetProgressSummary(platform.pool, platform.store.reader, cache)
    await cache.close()
