"""The cached summary: byte for byte, until the child's midnight, and never older than what was there before."""

import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from redis.asyncio import Redis

from projections.get_progress_summary import GetProgressSummary
from projections.progress_summary import cache_key, read_summary, render
from tests.projections.stepping import Actor, SteppingValues, Stop
from tests.workers.conftest import Platform, new_projector
from tests.workers.deliveries import Sender
from tests.workers.students import practise, register
from workers.projector import Projector
from workers.subscription import Delivery

SOON = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
"""The night that Europe changes to summer time."""


async def test_the_cached_summary_is_served_byte_for_byte(platform: Platform, redis_client: Redis) -> None:
    student = await register(platform.store)
    await platform.project()

    answer = await platform.summary.now(student, SOON)

    assert await redis_client.get(cache_key(student)) == answer.body
    await redis_client.set(cache_key(student), b"as it is")
    assert (await platform.summary.now(student, SOON)).body == b"as it is"


@pytest.mark.parametrize(
    ("timezone", "midnight"),
    [
        ("UTC", "2027-03-29T00:00+00:00"),
        ("Europe/Rome", "2027-03-29T00:00+02:00"),
        ("Asia/Kathmandu", "2027-03-29T00:00+05:45"),
        ("America/Los_Angeles", "2027-03-28T00:00-07:00"),
        ("Pacific/Kiritimati", "2027-03-29T00:00+14:00"),
    ],
)
async def test_the_cached_summary_ends_at_the_childs_next_midnight(
    platform: Platform, redis_client: Redis, timezone: str, midnight: str
) -> None:
    student = await register(platform.store, timezone=timezone)
    await platform.project()

    await platform.summary.now(student, SOON)

    ends = await redis_client.pexpiretime(cache_key(student))
    assert datetime.fromtimestamp(ends / 1000, UTC) == datetime.fromisoformat(midnight)


async def test_a_summary_made_before_midnight_and_filled_after_it_is_not_kept(
    platform: Platform, redis_client: Redis
) -> None:
    student = await register(platform.store)
    await platform.project()

    await platform.summary.now(student, datetime.now(UTC) - timedelta(days=1))

    assert await redis_client.get(cache_key(student)) is None


async def test_the_next_day_has_its_own_figures(platform: Platform, redis_client: Redis) -> None:
    student = await register(platform.store)
    await practise(platform.store, student)
    await platform.project()
    today = await platform.summary.now(student, datetime.now(UTC))
    await redis_client.delete(cache_key(student))  # as midnight does

    later = await platform.summary.now(student, datetime.now(UTC) + timedelta(days=7))

    assert b'"last_7_days":{"records":1' in today.body
    assert b'"last_7_days":{"records":0' in later.body


async def test_a_flush_loses_nothing(platform: Platform, redis_client: Redis) -> None:
    student = await register(platform.store)
    await practise(platform.store, student)
    await platform.project()
    before = await platform.summary.now(student, SOON)

    await redis_client.flushall()

    assert await platform.summary.now(student, SOON) == before
    assert await redis_client.get(cache_key(student)) == before.body


async def test_new_practice_shows_at_the_next_look(platform: Platform) -> None:
    student = await register(platform.store)
    await platform.project()
    await platform.summary.now(student, SOON)
    await practise(platform.store, student)

    await platform.project()

    assert b'"self_reported":{"records":1' in (await platform.summary.now(student, SOON)).body


async def test_a_value_is_never_followed_by_an_older_one_while_the_projector_catches_up(platform: Platform) -> None:
    student = await register(platform.store)
    for _ in range(3):
        await practise(platform.store, student)
    sender = Sender()
    records = await platform.store.reader.read(0)
    await platform.projector.refresh_cache()
    first = await platform.summary.now(student, SOON)  # not yet projected: made from the log itself

    for record in records:
        await platform.projector.apply(sender.pack([record]))
        assert await platform.summary.now(student, SOON) == first


@dataclass
class Race:
    """A student, the readers and projectors who race for their summary, and what Redis was seen to hold."""

    platform: Platform
    redis: Redis
    student: UUID
    projectors: list[Projector]
    last_seen: int = 0
    told: list[str] = field(default_factory=list)

    async def run(self, schedule: str, *, cached: bool) -> None:
        """Report practice, then let reader r and s, projectors p and q, and a flush x go on in this order."""
        key = cache_key(self.student)
        await self.redis.delete(key)
        if cached:
            await self.platform.summary.now(self.student, SOON)
        receipt = await practise(self.platform.store, self.student)
        delivery = Sender().pack(await self.platform.store.reader.read(receipt.last - 1))
        actors = {"r": Actor(self._read), "s": Actor(self._read)} | {
            name: Actor(self._apply(delivery, projector))
            for name, projector in zip("pq", self.projectors, strict=False)
        }

        for n, who in enumerate(schedule, start=1):
            await (self.redis.flushall() if who == "x" else actors[who].step())
            await self._look(f"{schedule[:n]}|{schedule[n:]} cached={cached}")

        summary = await read_summary(self.platform.pool, self.student)
        assert summary is not None
        now = await self.platform.summary.now(self.student, SOON)
        assert now.body == render(self.student, summary, SOON.date()), schedule
        assert await self.redis.get(key) == now.body, schedule

    async def _read(self, stop: Stop) -> None:
        values = SteppingValues(self.platform.cache, stop)
        await GetProgressSummary(self.platform.pool, self.platform.store.reader, values).now(self.student, SOON)

    def _apply(self, delivery: Delivery, projector: Projector) -> Callable[[Stop], Coroutine[None, None, None]]:
        async def apply(stop: Stop) -> None:
            projector._cache = SteppingValues(self.platform.cache, stop)
            await projector.apply(delivery)

        return apply

    async def _look(self, moment: str) -> None:
        """See that what Redis holds never goes back."""
        body, position = await self.redis.mget(cache_key(self.student), f"{cache_key(self.student)}:position")
        if body is not None:
            assert int(position or 0) >= self.last_seen, moment
            self.last_seen = int(position or 0)


@pytest.fixture
async def race(platform: Platform, redis_client: Redis) -> Race:
    """Return a race of one student, with projectors that are past their start."""
    student = await register(platform.store)
    await platform.project()
    projectors = [new_projector(platform.pool, platform.cache) for _ in range(2)]
    for projector in projectors:
        await projector.refresh_cache()
    return Race(platform, redis_client, student, projectors)


def schedules() -> Iterator[str]:
    """Yield every order of a reader's lease, read and fill and a projector's commit and invalidation, and a flush."""
    for order in sorted(set(permutations("rrrpp"))):
        yield "".join(order)
        for n in range(6):
            yield "".join((*order[:n], "x", *order[n:]))


@pytest.mark.parametrize("cached", [False, True])
async def test_in_no_order_of_reader_projector_and_flush_does_a_stale_value_survive(
    race: Race, *, cached: bool
) -> None:
    for schedule in schedules():
        await race.run(schedule, cached=cached)


async def test_nor_does_it_among_two_readers_two_projectors_and_flushes(race: Race) -> None:
    chance = random.Random(2)  # noqa: S311  a repeatable storm

    for _ in range(150):
        everybody = list("rrrsssppqq" + "x" * chance.randrange(3))
        chance.shuffle(everybody)
        await race.run("".join(everybody), cached=chance.random() < 0.3)
