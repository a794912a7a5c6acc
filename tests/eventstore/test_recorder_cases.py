"""Recorder cases: what the `eventsourcing` library asserts of its own recorders, asserted of our append and read.

Ported from `eventsourcing.tests.persistence` (9.5): `AggregateRecorderTestCase.test_insert_and_select`, and of
`ApplicationRecorderTestCase` `test_insert_select`, `test_concurrent_no_conflicts`, `test_concurrent_throughput` (its
assertion: no errors) and `optional_test_insert_subscribe`. Its words and ours: `insert_events` is `append`, an
`IntegrityError` is the verdict `Stale`, a notification id is a position, `select_events` is `stream`,
`select_notifications` is `read`, `subscribe` is `follow`.

What does not apply, and why:
- Inserting an empty list: a command that records nothing is refused here, for it could not be told from an unknown one.
- `max_notification_id` of an empty recorder is None there and 0 here, where positions begin at 1.
- `inclusive_of_start`: `read` always starts behind a position, as every one of our readers does.
- `select_events(lte=, desc=, limit=)`: the library reads snapshots with it; ours will stand in a table of their own.
- Versions that begin at 0 or leave holes: ours are 1, 2, 3 … by construction, and the cases are written so.
- `subscribe(topics=)`: a follower reads the whole log, so that it can assert that nothing is missing.
- `subscription.stop()`: leaving the loop ends an async iterator.
- `test_performance`: `make bench` measures, and against this very recorder.
- The tracking cases: cursors are the projector's, tested with it.
"""

import asyncio
from contextlib import aclosing
from uuid import UUID, uuid4

import asyncpg
import pytest

from eventstore.append import Accepted, Append, EventRow, Stale
from eventstore.record import Record
from tests.eventstore.appends import a_row
from tests.eventstore.conftest import Store


def an_event(stream: str, version: int, event_type: str, data: str) -> EventRow:
    return a_row(stream, version, uuid4(), 1, data)._replace(type=event_type)


async def insert(store: Store, *events: EventRow) -> list[int] | Stale:
    """Append these at exactly their versions; return their positions."""
    first: dict[str, int] = {}
    for event in events:
        first.setdefault(event.stream, event.version - 1)
    command_id: UUID = uuid4()
    rows = [event._replace(command_id=command_id) for event in events]
    verdict = await store.appender.append(Append(command_id, "Test", b"f", 1, rows, list(first.items())))
    if isinstance(verdict, Accepted):
        return list(range(verdict.first, verdict.last + 1))
    assert isinstance(verdict, Stale)
    return verdict


def brief(records: list[Record]) -> list[tuple[int, str, str]]:
    return [(record.version, record.type, record.data) for record in records]


async def positions(store: Store, after: int, limit: int, up_to: int | None = None) -> list[int]:
    return [record.position for record in await store.reader.read(after, limit=limit, up_to=up_to)]


async def types_after(store: Store, after: int, *types: str) -> list[tuple[int, str]]:
    return [(record.position, record.type) for record in await store.reader.read(after, limit=10, types=types)]


async def test_insert_and_select_of_one_sequence(store: Store) -> None:
    one, two = an_event("1", 1, "topic1", '"state1"'), an_event("1", 2, "topic2", '"state2"')
    three = an_event("1", 3, "topic3", '"state3"')
    assert await store.reader.stream("1") == []

    await insert(store, one)
    assert brief(await store.reader.stream("1")) == [(1, "topic1", '"state1"')]

    # Storing it again conflicts; writing is atomic, whichever of the events conflicts.
    assert await insert(store, one) == Stale()
    assert await insert(store, one, two) == Stale()
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(store, two, two)
    assert brief(await store.reader.stream("1")) == [(1, "topic1", '"state1"')]

    await insert(store, two, three)
    assert brief(await store.reader.stream("1")) == [
        (1, "topic1", '"state1"'),
        (2, "topic2", '"state2"'),
        (3, "topic3", '"state3"'),
    ]
    assert brief(await store.reader.stream("1", after_version=2)) == [(3, "topic3", '"state3"')]

    # Sequences are distinguished.
    assert await store.reader.stream("2") == []
    await insert(store, an_event("2", 1, "topic4", '"state4"'))
    assert brief(await store.reader.stream("2")) == [(1, "topic4", '"state4"')]


async def test_insert_and_select_of_all_sequences(store: Store) -> None:
    assert await positions(store, 0, 3) == []
    assert await types_after(store, 0, "topic1") == []
    assert await store.reader.head() == 0

    three = an_event("2", 1, "topic3", '"state3"')
    assert await insert(store, an_event("1", 1, "topic1", "1"), an_event("1", 2, "topic2", "2")) == [1, 2]
    assert await insert(store, three) == [3]
    assert await insert(store, three) == Stale()

    found = await store.reader.read(0, limit=10)
    assert [(r.position, r.stream, r.type, r.data) for r in found] == [
        (1, "1", "topic1", "1"),
        (2, "1", "topic2", "2"),
        (3, "2", "topic3", '"state3"'),
    ]
    assert await positions(store, 0, 10, up_to=2) == [1, 2]
    assert await positions(store, 1, 10) == [2, 3]
    assert await positions(store, 2, 10) == [3]
    assert await types_after(store, 0, "topic1", "topic2", "topic3") == [(1, "topic1"), (2, "topic2"), (3, "topic3")]
    assert await types_after(store, 0, "topic1") == [(1, "topic1")]
    assert await types_after(store, 0, "topic2") == [(2, "topic2")]
    assert await types_after(store, 0, "topic3") == [(3, "topic3")]
    assert await types_after(store, 0, "topic1", "topic3") == [(1, "topic1"), (3, "topic3")]
    assert await store.reader.head() == 3

    assert await positions(store, 0, 1) == [1]
    assert await positions(store, 1, 1) == [2]
    assert await positions(store, 1, 2) == [2, 3]
    assert await positions(store, 2, 1) == [3]
    assert await positions(store, 3, 1) == []
    assert await positions(store, 1, 10, up_to=2) == [2]


async def test_concurrent_writers_and_readers_do_not_conflict(store: Store) -> None:
    async def write(stream: str) -> int:
        result = await insert(store, *(an_event(stream, version, "topic", "{}") for version in range(1, 101)))
        return len(result) if isinstance(result, list) else 0

    async def read_on() -> int:
        reads = 0
        while not writing.done():
            found = await positions(store, 0, 10)
            assert found == list(range(1, len(found) + 1))
            reads += 1
        return reads

    writing = asyncio.gather(*(write(f"s{n}") for n in range(100)))
    readers = [asyncio.create_task(read_on()) for _ in range(2)]

    assert await writing == [100] * 100
    assert all(await asyncio.gather(*readers))
    assert await store.reader.head() == 10_000


async def test_a_follower_gets_what_is_there_and_what_comes(store: Store) -> None:
    assert await insert(store, an_event("1", 1, "topic1", "1"), an_event("1", 2, "topic2", "2")) == [1, 2]

    async with aclosing(store.reader.follow(0)) as from_the_start:
        first = [(r.position, r.stream, r.version) for r in await anext(from_the_start)]
        assert first == [(1, "1", 1), (2, "1", 2)]

        assert await insert(store, an_event("2", 1, "topic3", "3")) == [3]
        assert [(r.position, r.stream, r.version) for r in await anext(from_the_start)] == [(3, "2", 1)]

    async with aclosing(store.reader.follow(2)) as from_a_position:
        assert [r.stream for r in await anext(from_a_position)] == ["2"]
