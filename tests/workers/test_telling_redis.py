"""Telling Redis: whatever dies or is away after a commit, no stale value stays, and nothing more has to happen."""

import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from redis.asyncio import Redis

from projections.progress_summary import cache_key
from tests.projections.stepping import Actor, SteppingValues, Stop
from tests.workers.conftest import OwnMachine, Platform, new_projector
from tests.workers.deliveries import Sender
from tests.workers.running import eventually, everything_is_folded, running
from tests.workers.students import live, practise, register
from workers.projector import TOLD_AT_ONCE, Projector
from workers.subscription import Delivery, TailingSubscription


@pytest.fixture
async def neighbour(platform: Platform) -> Projector:
    """Return a projector that is past its start."""
    projector = new_projector(platform.pool, platform.cache)
    await projector.refresh_cache()
    return projector


@pytest.fixture
async def student(platform: Platform) -> UUID:
    """Return a student whose summary, without any report, is in Redis."""
    student = await register(platform.store)
    await platform.project()
    await platform.summary.now(student, datetime.now(UTC))
    return student


@pytest.fixture
async def told_too_late(platform: Platform, student: UUID) -> AsyncIterator[Delivery]:
    """Return a delivery that a projector folded and committed, and died before it could tell Redis."""
    receipt = await practise(platform.store, student)
    delivery = Sender().pack(await platform.store.reader.read(receipt.first - 1))
    doomed = new_projector(platform.pool, platform.cache)
    await doomed.refresh_cache()
    await platform.summary.now(student, datetime.now(UTC))

    async def apply(stop: Stop) -> None:
        doomed._cache = SteppingValues(platform.cache, stop)
        await doomed.apply(delivery)

    actor = Actor(apply)
    await actor.step()
    yield delivery
    await actor.die()


async def tailing(platform: Platform, projector: Projector) -> TailingSubscription:
    return TailingSubscription(platform.store.reader, await projector.cursors(), heartbeat=0.1)


async def is_cached(redis: Redis, student: UUID) -> bool:
    return await redis.get(cache_key(student)) is not None


async def test_a_commit_that_redis_was_not_told_of_leaves_a_stale_value(
    platform: Platform, student: UUID, told_too_late: Delivery
) -> None:
    assert told_too_late.slices
    assert b'"records":0' in (await platform.summary.now(student, datetime.now(UTC))).body


async def test_the_successor_of_a_dead_projector_drops_it_although_nothing_more_happens(
    platform: Platform, redis_client: Redis, student: UUID, told_too_late: Delivery
) -> None:
    assert told_too_late.position == await platform.store.reader.head()

    async def is_dropped() -> bool:
        return not await is_cached(redis_client, student)

    successor = new_projector(platform.pool, platform.cache)
    async with running(successor, await tailing(platform, successor)):
        await eventually(is_dropped)

    assert b'"records":1' in (await platform.summary.now(student, datetime.now(UTC))).body


async def test_a_projector_that_is_delivered_what_another_folded_tells_redis_in_its_stead(
    neighbour: Projector, redis_client: Redis, student: UUID, told_too_late: Delivery
) -> None:
    assert await is_cached(redis_client, student)

    await neighbour.apply(told_too_late)

    assert not await is_cached(redis_client, student)


async def test_while_redis_hangs_events_are_folded_and_when_it_wakes_no_stale_value_stays(
    own_machine: OwnMachine,
) -> None:
    platform = own_machine.platform
    [student] = await live(platform.store, people=1, reports=1)
    assert own_machine.valkey.process
    redis = Redis.from_url(own_machine.valkey.url)

    async def is_dropped() -> bool:
        return not await is_cached(redis, student)

    async with running(platform.projector, await tailing(platform, platform.projector)):
        await eventually(lambda: everything_is_folded(platform))
        await eventually(lambda: has_filled(platform, redis, student))
        os.kill(own_machine.valkey.process.pid, signal.SIGSTOP)
        await practise(platform.store, student)
        await eventually(lambda: everything_is_folded(platform))
        os.kill(own_machine.valkey.process.pid, signal.SIGCONT)
        await eventually(is_dropped)

    assert b'"records":2' in (await platform.summary.now(student, datetime.now(UTC))).body
    await redis.aclose()


async def has_filled(platform: Platform, redis: Redis, student: UUID) -> bool:
    """Ask for the summary, and tell whether it is in Redis now."""
    await platform.summary.now(student, datetime.now(UTC))
    return await is_cached(redis, student)


async def test_after_a_long_outage_redis_is_told_everything_a_thousand_keys_at_a_time(
    platform: Platform, redis_client: Redis
) -> None:
    keys = [f"user:{n}:progress" for n in range(2 * TOLD_AT_ONCE + 1)]
    await platform.projector.refresh_cache()
    await redis_client.mset(dict.fromkeys(keys, b"stale"))
    platform.projector._stale = dict.fromkeys(keys, 7)

    await platform.projector.refresh_cache()

    assert await redis_client.exists(*keys) == 0
    assert platform.projector._stale == {}
