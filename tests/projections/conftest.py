"""The platform of the workers' tests, and a client that sees what Redis holds."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.workers.conftest import platform

__all__ = ["platform"]


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()
