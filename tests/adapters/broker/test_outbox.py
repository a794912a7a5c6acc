"""Outbox: the whole log in its envelopes, and never past a hole."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from random import Random

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.broker.envelope import decode_batch
from adapters.broker.outbox import BATCH_BYTES, BATCH_EVENTS, PAGE_BYTES, Outbox, in_batches
from domain.errors import LogBroken
from eventstore.connections import PROJECTOR, create_pool
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store, close_store, key_set, open_store


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database, key_set(1), key_set(1))
    yield opened
    await close_store(opened)


@pytest.fixture
async def outbox(database: str) -> AsyncIterator[Outbox]:
    pool = await create_pool(database, PROJECTOR, size=2)
    yield Outbox(pool)
    await pool.close()


async def test_it_holds_what_the_log_holds_by_part_and_in_order(store: Store, outbox: Outbox) -> None:
    await store.appender.append(an_append(*((f"stream-{n}", 1) for n in range(300)), data='{"score":8750}'))

    page = await outbox.read(0)

    log = await store.reader.read(0)
    assert sorted((record for batch in page for record in decode_batch(batch.body)), key=lambda r: r.position) == log
    assert [batch.position for batch in page] == sorted(batch.position for batch in page)
    for batch in page:
        records = decode_batch(batch.body)
        assert records == [record for record in log if record.part == batch.part]
        assert batch[:6] == (
            *(batch.part, records[0].position, records[-1].position, len(records)),
            *(records[-1].event_id, records[-1].traceparent),
        )


async def test_it_is_read_a_page_at_a_time(store: Store, outbox: Outbox) -> None:
    await store.appender.append(an_append(*((f"stream-{n}", 1) for n in range(30))))

    page = await outbox.read(10, limit=5)

    assert page[-1].position == 15
    assert sum(batch.events for batch in page) == 5
    assert await outbox.read(30) == []


async def test_a_batch_holds_two_hundred_events_at_most(store: Store, outbox: Outbox) -> None:
    await store.appender.append(an_append(*(("stream", END) for _ in range(250))))

    assert [batch.events for batch in await outbox.read(0)] == [BATCH_EVENTS, 50]


@given(st.lists(st.integers(1, 2 * BATCH_BYTES), min_size=1, max_size=20))
def test_events_are_cut_in_order_and_into_batches_of_limited_size(sizes: list[int]) -> None:
    events = [b"x" * size for size in sizes]

    batches = list(in_batches(events))

    assert [event for batch in batches for event in batch] == events
    for batch, later in pairwise(batches):
        assert len(joined([*batch, later[0]])) > BATCH_BYTES
    for batch in batches:
        assert len(batch) == 1 or len(joined(batch)) <= BATCH_BYTES


def joined(events: list[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"


async def test_large_events_make_more_batches_and_smaller_pages(store: Store, outbox: Outbox) -> None:
    noise = Random(1).randbytes(BATCH_BYTES // 4).hex()  # noqa: S311  what does not compress
    for _ in range(70):
        await store.appender.append(an_append(("stream", END), data=f'"{noise}"'))

    first = await outbox.read(0)

    assert first[-1].position == PAGE_BYTES // (len(noise) + 8)  # quotes, and how a row keeps its length
    assert [batch.events for batch in first] == [1] * len(first)
    assert (await outbox.read(first[-1].position))[-1].position == 70


async def test_an_event_larger_than_a_page_is_read_all_the_same(store: Store, outbox: Outbox) -> None:
    noise = Random(1).randbytes(PAGE_BYTES // 2).hex()  # noqa: S311  what does not compress
    await store.appender.append(an_append(("stream", END), data=f'"{noise}"'))
    await store.appender.append(an_append(("stream", END)))

    assert [batch.events for batch in await outbox.read(0)] == [1]


async def test_it_can_be_followed(store: Store, outbox: Outbox) -> None:
    await store.appender.append(an_append(("stream-1", 1)))

    async with aclosing(outbox.follow(0)) as pages:
        assert (await anext(pages))[-1].position == 1
        await store.appender.append(an_append(("stream-2", 1), ("stream-3", 1)))
        assert (await anext(pages))[-1].position == 3


async def test_a_hole_is_never_skipped(store: Store, outbox: Outbox) -> None:
    await store.appender.append(an_append(*((f"stream-{n}", 1) for n in range(5))))
    owner = await asyncpg.connect(store.dsn)
    await owner.execute("alter table events disable trigger events_append_only")
    await owner.execute("delete from events where position = 3")
    await owner.close()

    with pytest.raises(LogBroken):
        await outbox.read(0)
