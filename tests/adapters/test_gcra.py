"""GCRA: Redis and the process itself count alike, let through what the policy says, and never more."""

import random
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from adapters import gcra
from adapters.cache import Cache
from adapters.gcra import SECOND, Allowance, Charge, LocalLimiter, Policy, charge

TEN = Policy(name="ten", quota=10, seconds=60, burst=10)
SLOW = Policy(name="slow", quota=1, seconds=3600, burst=7)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[Cache]:
    cache = Cache(redis_url, timeout=5.0)
    yield cache
    await cache.close()


async def in_redis(cache: Cache, key: str, policy: Policy = SLOW) -> Allowance:
    allowance = (await cache.look(charge=Charge(key, policy))).allowance
    assert allowance
    return allowance


def test_a_burst_is_let_through_and_then_one_at_each_interval() -> None:
    clock = Clock()
    limiter = LocalLimiter(clock=clock)
    asked = Charge("me", TEN)

    at_once = [limiter.charge(asked).wait for _ in range(12)]
    clock.now += 6
    later = [limiter.charge(asked).wait for _ in range(2)]

    assert at_once == [0] * 10 + [6 * SECOND] * 2
    assert later == [0, 6 * SECOND]


def test_a_refusal_costs_nothing() -> None:
    clock = Clock()
    limiter = LocalLimiter(clock=clock)
    for _ in range(1000):
        limiter.charge(Charge("me", TEN))

    clock.now += 6

    assert limiter.charge(Charge("me", TEN)).wait == 0


@given(
    quota=st.integers(1, 10_000),
    seconds=st.integers(1, 3600),
    burst=st.integers(1, 50),
    gaps=st.lists(st.integers(0, 10 * SECOND), max_size=200),
)
def test_no_span_of_time_lets_more_through_than_the_burst_and_what_drained(
    quota: int, seconds: int, burst: int, gaps: list[int]
) -> None:
    policy = Policy(name="any", quota=quota, seconds=seconds, burst=burst)
    now = drained_at = 0
    passed: list[int] = []

    for gap in gaps:
        now += gap
        allowance, drained_at = charge(policy, drained_at, now)
        if allowance.wait == 0:
            passed.append(now)
        assert 0 <= allowance.remaining < burst or allowance.wait

    for n, began in enumerate(passed):
        for m in range(n, len(passed)):
            assert m - n + 1 <= burst + (passed[m] - began) / policy.interval + 1e-9


@given(backlog=st.integers(0, 100 * SECOND))
def test_who_waits_as_long_as_told_is_let_through(backlog: int) -> None:
    first, kept = charge(TEN, backlog, 0)
    if first.wait:
        assert charge(TEN, kept, first.wait)[0].wait == 0
        assert charge(TEN, kept, first.wait - 1)[0].wait > 0


async def test_redis_counts_as_the_process_does(cache: Cache, redis: Redis) -> None:
    """Both are given the same past; between two calls hardly any time goes by, and no interval."""
    chance = random.Random(3)  # noqa: S311  invented pasts
    for _ in range(300):
        policy = Policy(name="p", quota=1, seconds=chance.randrange(1000, 3600), burst=chance.randrange(1, 9))
        seconds, micros = await redis.time()
        now = int(seconds) * SECOND + int(micros)
        past = now + chance.randrange(-2 * policy.interval, (policy.burst + 2) * policy.interval)
        await redis.set("key", past)

        there = await in_redis(cache, "key", policy)

        here, kept = charge(policy, past, now)
        assert abs(there.wait - here.wait) < SECOND
        assert abs(there.backlog - here.backlog) < SECOND
        assert (there.wait == 0) == (here.wait == 0) or min(there.wait, here.wait) < SECOND
        if here.wait == 0:
            assert abs(int(await redis.get("key") or 0) - kept) < SECOND


async def test_at_once_redis_lets_the_burst_through_and_no_more(cache: Cache) -> None:
    key = str(uuid4())

    let_through = [await in_redis(cache, key) for _ in range(20)]

    assert [one.wait == 0 for one in let_through] == [True] * 7 + [False] * 13
    assert [one.remaining for one in let_through[:7]] == [6, 5, 4, 3, 2, 1, 0]


async def test_a_key_goes_when_all_has_drained(cache: Cache, redis: Redis) -> None:
    await in_redis(cache, "key", TEN)
    await in_redis(cache, "key", TEN)

    assert 11_000 < await redis.pttl("key") <= 12_000


@pytest.mark.parametrize("strange", ["text", "-1", "9" * 30, "nan", "inf"])
async def test_a_key_that_holds_nonsense_locks_nobody_out_for_longer_than_the_policy_does(
    cache: Cache, redis: Redis, strange: str
) -> None:
    await redis.set("key", strange)

    allowance = await in_redis(cache, "key", TEN)

    assert 0 <= allowance.wait <= TEN.interval


async def test_a_key_of_a_wrong_kind_is_not_counted_in_redis(cache: Cache, redis: Redis) -> None:
    await redis.lpush("key", "list")

    assert (await cache.look(charge=Charge("key", TEN))).allowance is None


async def test_who_is_refused_is_told_nothing(cache: Cache, redis: Redis) -> None:
    await redis.set("value", b"{}")
    once = Charge("key", Policy(name="once", quota=1, seconds=3600, burst=1))

    first, second = await cache.look(None, "value", once), await cache.look(None, "value", once)

    assert (first.value, second.value) == (b"{}", None)


def test_several_processes_share_a_policy() -> None:
    shares = [LocalLimiter(4), LocalLimiter(4)]

    passed = [sum(one.charge(Charge("me", TEN)).wait == 0 for _ in range(50)) for one in shares]

    assert passed == [2, 2]


def test_a_process_remembers_so_many_and_forgets_whom_it_saw_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcra, "MOST_KEYS", 3)
    limiter = LocalLimiter(clock=Clock())
    once = Policy(name="once", quota=1, seconds=3600, burst=1)
    for key in ("a", "b", "c", "a", "d"):
        limiter.charge(Charge(key, once))

    assert [limiter.charge(Charge(key, once)).wait > 0 for key in ("a", "c", "d")] == [True, True, True]
    assert limiter.charge(Charge("b", once)).wait == 0
