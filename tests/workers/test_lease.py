"""Lease: one leader at a time, with an epoch that tells leaders apart, and a checkpoint that only the leader moves."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from eventstore.connections import PROJECTOR, create_pool
from tests.eventstore.appends import an_append
from tests.eventstore.conftest import Store, close_store, key_set, open_store
from tests.workers.running import eventually
from workers.lease import Lease, LeaseLost, Term


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database, PROJECTOR, size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database, key_set(1), key_set(1))
    yield opened
    await close_store(opened)


async def taken(lease: Lease) -> Term:
    term = await lease.take()
    assert term
    return term


async def test_a_new_lease_begins_before_the_first_event(pool: asyncpg.Pool) -> None:
    assert await Lease(pool).take() == Term(epoch=1, position=0, event_id=None, forked=False)


async def test_of_many_who_ask_at_once_one_leads(pool: asyncpg.Pool) -> None:
    answers = await asyncio.gather(*(Lease(pool).take() for _ in range(8)))

    assert len([answer for answer in answers if answer]) == 1


async def test_a_leader_that_renews_keeps_the_lead(pool: asyncpg.Pool) -> None:
    leader = Lease(pool)
    term = await taken(leader)
    before = await pool.fetchval("select until from fanout.relay")

    await leader.renew(term)

    assert await pool.fetchval("select until > $1 from fanout.relay", before)
    assert await Lease(pool).take() is None


async def test_a_silent_leader_is_followed_by_another_with_a_higher_epoch(pool: asyncpg.Pool) -> None:
    leader, standby = Lease(pool, seconds=0.2), Lease(pool)
    first = await taken(leader)
    assert await standby.take() is None

    terms = []

    async def taken_over() -> bool:
        terms.append(await standby.take())
        return terms[-1] is not None

    await eventually(taken_over)

    assert terms[-1]
    assert terms[-1].epoch > first.epoch


async def test_a_leader_that_returns_from_the_dead_moves_nothing(pool: asyncpg.Pool) -> None:
    zombie, leader = Lease(pool, seconds=0), Lease(pool)
    stale = await taken(zombie)
    term = await taken(leader)
    await leader.advance(term, 5, uuid4())

    for attempt in (zombie.advance(stale, 9, uuid4()), zombie.renew(stale)):
        with pytest.raises(LeaseLost):
            await attempt

    assert await pool.fetchval("select position from fanout.relay") == 5
    assert await zombie.take() is None


async def test_an_earlier_term_of_the_same_process_moves_nothing(pool: asyncpg.Pool) -> None:
    lease = Lease(pool)
    stale, term = await taken(lease), await taken(lease)
    await lease.renew(term)

    with pytest.raises(LeaseLost):
        await lease.advance(stale, 9, uuid4())


async def test_a_leader_that_leaves_is_followed_at_once(pool: asyncpg.Pool) -> None:
    leader, standby = Lease(pool), Lease(pool)
    await taken(leader)

    await standby.release()
    assert await standby.take() is None
    await leader.release()

    assert await standby.take()


async def test_who_follows_goes_on_from_the_checkpoint(pool: asyncpg.Pool, store: Store) -> None:
    await store.appender.append(an_append(("stream", 1), ("other", 1)))
    [first, _] = await store.reader.read(0)
    leader = Lease(pool, seconds=0)
    await leader.advance(await taken(leader), 1, first.event_id)

    term = await taken(Lease(pool))

    assert (term.position, term.event_id, term.forked) == (1, first.event_id, False)


@pytest.mark.parametrize("position", [1, 7], ids=["another event", "no event"])
async def test_a_log_that_went_on_differently_is_noticed(pool: asyncpg.Pool, store: Store, position: int) -> None:
    await store.appender.append(an_append(("stream", 1)))
    leader = Lease(pool, seconds=0)
    await leader.advance(await taken(leader), position, uuid4())

    assert (await taken(Lease(pool))).forked
