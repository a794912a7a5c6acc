"""Cache: nobody reads a lie from Redis, whatever happens to it between a lease and a fill."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from adapters.cache import TIMEOUT, Cache, Glimpse
from adapters.gcra import Charge, Policy
from adapters.sessions import Session
from projections.cache import CacheAway, Cached, Lease

KEY = "user:0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d:progress"
GENEROUS = Policy(name="ip", quota=6000, seconds=60, burst=1000)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


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


def some_session(seconds: int = 600) -> Session:
    now = int(time.time())
    return Session(user_id=uuid4(), session_id=uuid4(), expires_at=now + seconds, checked_at=now)


async def leased(cache: Cache, key: str = KEY) -> Lease:
    lease = await cache.lease(key)
    assert isinstance(lease, Lease)
    return lease


async def test_a_filled_value_is_stored_as_its_plain_bytes_and_found_with_its_position(
    cache: Cache, redis: Redis
) -> None:
    lease = await leased(cache)

    filled = await cache.fill(KEY, lease, b'{"score":87.5}', position=7, expires_at=TOMORROW)

    assert filled
    assert await redis.get(KEY) == b'{"score":87.5}'
    assert await cache.get(KEY) == b'{"score":87.5}'
    assert await cache.lease(KEY) == Cached(b'{"score":87.5}', 7)


async def test_a_value_and_its_position_end_together(cache: Cache, redis: Redis) -> None:
    await cache.fill(KEY, await leased(cache), b"{}", position=7, expires_at=TOMORROW)

    ends = {await redis.pexpiretime(KEY), await redis.pexpiretime(f"{KEY}:position")}

    assert ends == {int(TOMORROW.timestamp() * 1000)}


async def test_only_one_reader_at_a_time_may_fill_a_key(cache: Cache) -> None:
    leases = await asyncio.gather(*(cache.lease(KEY) for _ in range(50)))

    assert len([lease for lease in leases if isinstance(lease, Lease)]) == 1
    assert [lease for lease in leases if not isinstance(lease, Lease)] == [None] * 49


async def test_a_lease_ends_by_itself(cache: Cache, redis: Redis) -> None:
    await leased(cache)

    left = await redis.pttl(f"{KEY}:lease")

    assert 0 < left <= 2000


async def test_a_lease_that_ended_fills_nothing(cache: Cache, redis: Redis) -> None:
    late = await leased(cache)
    await redis.delete(f"{KEY}:lease")

    filled = await cache.fill(KEY, late, b"late", position=9, expires_at=TOMORROW)

    assert (filled, await redis.get(KEY)) == (False, None)


async def test_a_fill_gives_the_lease_back(cache: Cache, redis: Redis) -> None:
    lease = await leased(cache)
    await cache.fill(KEY, lease, b"once", position=1, expires_at=TOMORROW)

    again = await cache.fill(KEY, lease, b"twice", position=2, expires_at=TOMORROW)

    assert (again, await redis.get(KEY)) == (False, b"once")


async def test_an_invalidation_between_lease_and_fill_wins(cache: Cache, redis: Redis) -> None:
    raced = await leased(cache)

    await cache.invalidate({KEY: 8})

    assert not await cache.fill(KEY, raced, b"old", position=7, expires_at=TOMORROW)
    assert await redis.get(KEY) is None


async def test_an_invalidation_drops_value_and_position(cache: Cache, redis: Redis) -> None:
    await cache.fill(KEY, await leased(cache), b"old", position=7, expires_at=TOMORROW)

    await cache.invalidate({KEY: 8, "user:other:profile": 3})

    assert set(await redis.keys()) == {b"user:other:profile:floor", f"{KEY}:floor".encode()}
    assert 0 < await redis.pttl(f"{KEY}:floor") <= 60_000


@pytest.mark.parametrize(("position", "stored"), [(7, False), (8, True), (9, True)])
async def test_nothing_made_before_an_invalidation_is_filled_even_under_a_later_lease(
    cache: Cache, position: int, *, stored: bool
) -> None:
    await cache.invalidate({KEY: 8})

    filled = await cache.fill(KEY, await leased(cache), b"{}", position=position, expires_at=TOMORROW)

    assert filled is stored


async def test_an_older_invalidation_never_lowers_the_floor(cache: Cache, redis: Redis) -> None:
    await cache.invalidate({KEY: 8})

    await cache.invalidate({KEY: 5})

    assert await redis.get(f"{KEY}:floor") == b"8"


async def test_an_older_value_never_replaces_a_newer_one(cache: Cache, redis: Redis) -> None:
    await cache.fill(KEY, await leased(cache), b"new", position=9, expires_at=TOMORROW)
    await redis.delete(KEY)  # evicted for want of memory, its position not

    filled = await cache.fill(KEY, await leased(cache), b"old", position=8, expires_at=TOMORROW)

    assert not filled


async def test_a_flush_takes_every_lease_back(cache: Cache, redis: Redis) -> None:
    old = await leased(cache)
    await cache.invalidate({KEY: 8})
    raced = await leased(cache)
    await redis.flushall()

    filled = [await cache.fill(KEY, lease, b"old", position=7, expires_at=TOMORROW) for lease in (old, raced)]

    assert filled == [False, False]
    assert await redis.keys() == []


async def test_after_a_flush_the_next_reader_fills_again(cache: Cache, redis: Redis) -> None:
    raced = await leased(cache)
    await redis.flushall()
    fresh = await leased(cache)

    filled = [
        await cache.fill(KEY, lease, value, position=8, expires_at=TOMORROW)
        for lease, value in ((raced, b"raced"), (fresh, b"fresh"))
    ]

    assert filled == [False, True]
    assert await redis.get(KEY) == b"fresh"


async def test_scripts_the_server_forgot_are_told_again(cache: Cache, redis: Redis) -> None:
    await redis.script_flush()

    assert isinstance(await cache.lease(KEY), Lease)


@pytest.mark.parametrize("seed", range(5))
async def test_no_race_leaves_a_value_older_than_the_last_invalidation(cache: Cache, redis: Redis, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  a repeatable race
    truth, invalidated = 1, 0

    async def read() -> None:
        floor = invalidated
        match await cache.lease(KEY):
            case Cached(value, position):
                assert position >= floor, "a stale value was served"
                assert value == str(position).encode()
            case Lease() as lease:
                seen = truth
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                await cache.fill(KEY, lease, str(seen).encode(), position=seen, expires_at=TOMORROW)
            case None:
                pass

    async def write() -> None:
        nonlocal truth, invalidated
        truth += 1
        position = truth
        await cache.invalidate({KEY: position})
        invalidated = max(invalidated, position)

    async def flush() -> None:
        await redis.flushall()

    steps: list[Callable[[], Coroutine[None, None, None]]] = [read] * 8 + [write] * 3 + [flush]
    for _ in range(60):
        async with asyncio.TaskGroup() as together:
            for _ in range(8):
                together.create_task(chance.choice(steps)())

    await read()
    await read()
    assert await cache.get(KEY) == str(truth).encode()


async def test_a_session_is_found_by_its_tokens_hash_together_with_a_value(cache: Cache, redis: Redis) -> None:
    session = some_session()
    await cache.open_session("hash", session, time.time())
    await redis.set(KEY, b"{}")

    assert await cache.look("hash", KEY) == Glimpse(session, b"{}")
    assert await cache.look("hash") == Glimpse(session)
    assert await cache.look("other", "user:other:progress") == Glimpse()


async def test_a_session_is_a_hash_under_the_contracts_key(cache: Cache, redis: Redis) -> None:
    session = some_session()

    await cache.open_session("hash", session, time.time())

    assert await redis.hgetall("session:hash") == {
        b"user_id": str(session.user_id).encode(),
        b"session_id": str(session.session_id).encode(),
        b"expires_at": str(session.expires_at).encode(),
        b"checked_at": str(session.checked_at).encode(),
    }


@pytest.mark.parametrize(("seconds", "kept"), [(120, 120), (86_400, 300)])
async def test_a_session_is_kept_until_its_token_ends_but_five_minutes_at_most(
    cache: Cache, redis: Redis, seconds: int, kept: int
) -> None:
    await cache.open_session("hash", some_session(seconds), time.time())

    assert kept - 2 <= await redis.ttl("session:hash") <= kept


async def test_a_session_that_is_over_is_not_kept(cache: Cache, redis: Redis) -> None:
    await cache.open_session("hash", some_session(-1), time.time())

    assert await redis.keys() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "me"},
        {"user_id": "x", "session_id": "y", "expires_at": "soon", "checked_at": "now"},
        {"user_id": str(uuid4()), "session_id": str(uuid4()), "expires_at": "9999999999"},
        {"other": "1"},
    ],
)
async def test_a_session_we_cannot_read_is_none(cache: Cache, redis: Redis, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        await redis.hset("session:hash", name, value)

    assert await cache.look("hash") == Glimpse()


async def test_a_key_of_a_wrong_kind_spoils_nobody_elses_answer(cache: Cache, redis: Redis) -> None:
    session = some_session()
    await cache.open_session("mine", session, time.time())
    await redis.set("session:strange", "text")
    await redis.lpush(KEY, "list")

    strange, mine = await asyncio.gather(
        cache.look("strange", KEY, Charge("session:mine", GENEROUS)), cache.look("mine", charge=Charge("ip", GENEROUS))
    )

    assert strange == Glimpse()
    assert (mine.session, mine.value) == (session, None)
    assert mine.allowance
    assert mine.allowance.remaining == 999


async def test_readers_at_once_share_their_calls(cache: Cache, redis: Redis) -> None:
    await cache.open_session("hash", some_session(), time.time())
    await cache.look("hash")
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]

    await asyncio.gather(*(cache.look("hash", KEY, Charge("ip", GENEROUS)) for _ in range(500)))

    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before <= 2


async def test_cancelled_readers_never_leave_their_answers_to_others(cache: Cache, redis: Redis) -> None:
    chance = random.Random(7)  # noqa: S311  a repeatable storm
    sessions = {str(n): some_session() for n in range(20)}
    for token_hash, session in sessions.items():
        await cache.open_session(token_hash, session, time.time())
        await redis.set(f"value:{token_hash}", token_hash)

    async def read(token_hash: str) -> None:
        found = await cache.look(token_hash, f"value:{token_hash}")
        assert found == Glimpse(sessions[token_hash], token_hash.encode())
        assert await cache.get(f"value:{token_hash}") == token_hash.encode()

    tasks = []
    for _ in range(2000):
        tasks.append(asyncio.create_task(read(str(chance.randrange(20)))))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()

    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError)


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accept connections and never say a word."""
    hung = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    hung.set()
    server.close()
    await server.wait_closed()


async def test_a_silent_redis_costs_its_timeout_once_and_then_nothing() -> None:
    async with silent_server() as url:
        cache = Cache(url, rest=60)
        started = time.perf_counter()
        first = await asyncio.gather(*(cache.look("hash", KEY) for _ in range(50)))
        slow = time.perf_counter() - started

        started = time.perf_counter()
        then = [await cache.look("hash", KEY), await cache.get(KEY), await cache.lease(KEY)]
        fast = time.perf_counter() - started
        await cache.close()

    assert first == [Glimpse()] * 50
    assert then == [Glimpse(), None, None]
    assert slow < 4 * TIMEOUT
    assert fast < TIMEOUT / 4


async def test_with_redis_away_nothing_fails_but_an_invalidation_which_must_be_tried_again() -> None:
    cache = Cache("redis://127.0.0.1:1/0")

    await cache.open_session("hash", some_session(), time.time())
    answers = [
        await cache.look("hash", KEY, Charge("ip", GENEROUS)),
        await cache.get(KEY),
        await cache.lease(KEY),
        await cache.fill(KEY, Lease(b"token"), b"{}", position=1, expires_at=TOMORROW),
    ]

    assert answers == [Glimpse(), None, None, False]
    with pytest.raises(CacheAway):
        await cache.invalidate({KEY: 1})
    with pytest.raises(CacheAway):
        await cache.ping()
    await cache.close()


async def test_a_redis_that_came_back_is_used_again(redis_url: str, redis: Redis) -> None:
    cache = Cache(redis_url, timeout=5.0, rest=0.0)
    await redis.set(KEY, b"{}")
    await cache.get(KEY)
    await redis.client_kill_filter(_type="normal", skipme=True)
    for _ in range(2):  # the first may find its connection dead
        with suppress(CacheAway):
            await cache.ping()

    assert await cache.get(KEY) == b"{}"
    assert await cache.look("hash", KEY) == Glimpse(None, b"{}")
    await cache.close()


async def test_dropping_all_values_takes_values_and_leases_but_no_session(cache: Cache, redis: Redis) -> None:
    await cache.open_session("hash", some_session(), time.time())
    for n in range(1500):
        await cache.fill(
            f"user:{n}:progress", await leased(cache, f"user:{n}:progress"), b"{}", position=1, expires_at=TOMORROW
        )
    raced = await leased(cache)

    await cache.drop_values()

    assert await redis.keys() == [b"session:hash"]
    assert not await cache.fill(KEY, raced, b"old", position=1, expires_at=TOMORROW)
