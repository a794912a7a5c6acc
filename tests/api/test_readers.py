"""Readers: a reader that stands still is seen by how old the events are that wait for it, without its help."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from adapters.stopping import end
from api.readers import ReaderMetrics
from eventstore.connections import APP, create_pool
from tests.workers.conftest import Platform, platform
from tests.workers.running import eventually
from tests.workers.students import practise, register

__all__ = ["platform"]

Value = Callable[..., float]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def value(registry: CollectorRegistry) -> Value:
    def read(name: str, **labels: str) -> float:
        found = registry.get_sample_value(f"afterschool_{name}", labels)
        assert found is not None, name
        return found

    return read


@pytest.fixture
async def pool(platform: Platform) -> AsyncIterator[asyncpg.Pool]:
    """Return connections as the API has them."""
    pool = await create_pool(platform.store.dsn, APP, size=2)
    yield pool
    await pool.close()


async def test_a_reader_that_keeps_up_waits_for_nothing(
    platform: Platform, pool: asyncpg.Pool, registry: CollectorRegistry, value: Value
) -> None:
    await practise(platform.store, await register(platform.store))
    await platform.project()

    await ReaderMetrics(registry).look(pool, with_relay=False)

    assert value("head_position") == 3
    for reader in ("progress_records", "progress_summary", "user_profile"):
        assert value("reader_lag_events", reader=reader) == value("reader_lag_seconds", reader=reader) == 0


async def test_a_reader_that_stands_still_is_seen_by_the_age_of_what_waits(
    platform: Platform, pool: asyncpg.Pool, registry: CollectorRegistry, value: Value
) -> None:
    student = await register(platform.store)
    await platform.project()
    await practise(platform.store, student)
    metrics = ReaderMetrics(registry)

    await asyncio.sleep(0.2)
    await metrics.look(pool, with_relay=True)

    assert value("reader_lag_events", reader="progress_summary") == 1
    assert value("reader_lag_seconds", reader="progress_summary") >= 0.2
    assert (value("reader_lag_events", reader="relay"), value("relay_leads")) == (3, 0)


async def test_parked_events_and_forks_are_told(
    platform: Platform, pool: asyncpg.Pool, registry: CollectorRegistry, value: Value
) -> None:
    await register(platform.store)
    await platform.project()
    await platform.pool.execute(
        """
        update read.cursors set parked = 2, position = 1, event_id = $1
        where projection = 'user_profile' and part = 5
        """,
        uuid4(),
    )

    await ReaderMetrics(registry).look(pool, with_relay=False)

    assert value("reader_parked_events", reader="user_profile") == 2
    assert value("reader_forked", reader="user_profile") == 1
    assert value("reader_forked", reader="progress_summary") == 0


async def test_looking_goes_on_when_postgres_comes_back(
    platform: Platform, registry: CollectorRegistry, value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.readers.SECONDS", 0.01)
    pool = await create_pool(platform.store.dsn, APP, size=2)
    await register(platform.store)
    owner = await asyncpg.connect(platform.store.dsn)
    looking = asyncio.create_task(ReaderMetrics(registry).keep_looking(pool, with_relay=False))

    async def seen() -> bool:
        return registry.get_sample_value("afterschool_head_position") == 2

    await eventually(seen)
    await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%app%'")
    before = value("readers_seen_timestamp_seconds")

    async def seen_again() -> bool:
        return value("readers_seen_timestamp_seconds") > before + 0.05

    await eventually(seen_again)
    await end(looking)
    await owner.close()
    pool.terminate()
