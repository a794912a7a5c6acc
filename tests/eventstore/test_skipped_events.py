"""Skipped events: the bug that most event tables ship with, shown on one that has it, and absent from ours.

A sequence gives numbers out before commit. Writer A takes 1, writer B takes 2 and commits first; a reader sees 2 and
goes on after 2; A commits 1, which nobody ever reads.
"""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from eventstore.append import Accepted
from eventstore.reader import LogReader
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store
from tests.eventstore.foreign import holding, until, waiting_for_the_lock


class Tail:
    """A reader that follows and remembers what it has seen."""

    def __init__(self, reader: LogReader) -> None:
        self.seen: list[tuple[int, str]] = []
        self._task = asyncio.create_task(self._follow(reader))

    async def _follow(self, reader: LogReader) -> None:
        async for page in reader.follow(0):
            self.seen += [(record.position, record.stream) for record in page]

    async def until_seen(self, events: int) -> None:
        async def has_seen() -> bool:
            if self._task.done():
                self._task.result()
            return len(self.seen) >= events

        await until(has_seen)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


@pytest.fixture
async def tail(store: Store) -> AsyncIterator[Tail]:
    following = Tail(store.reader)
    yield following
    await following.stop()


async def test_a_table_numbered_by_a_sequence_loses_an_event(database: str) -> None:
    a, b, reader = [await asyncpg.connect(database) for _ in range(3)]
    await reader.execute("create table numbered (position bigserial primary key, writer text)")
    cursor, seen = 0, []

    async def read() -> None:
        nonlocal cursor
        for row in await reader.fetch("select * from numbered where position > $1 order by position", cursor):
            cursor = row["position"]
            seen.append(row["writer"])

    open_for_long = a.transaction()
    await open_for_long.start()
    await a.execute("insert into numbered (writer) values ('a')")
    await b.execute("insert into numbered (writer) values ('b')")
    await read()
    await open_for_long.commit()
    await read()

    assert seen == ["b"]
    assert await reader.fetchval("select count(*) from numbered") == 2
    await asyncio.gather(a.close(), b.close(), reader.close())


async def test_our_log_shows_both_events_in_the_order_of_their_positions(store: Store, tail: Tail) -> None:
    async with holding(store.dsn, an_append(("a", END))) as held:
        b = asyncio.ensure_future(store.appender.append(an_append(("b", END))))
        await waiting_for_the_lock(store.dsn, 1)
        assert await store.reader.read(0) == []
        await held.commit()
        verdict = await b

    assert isinstance(verdict, Accepted)
    assert verdict.first == 2
    await tail.until_seen(2)
    assert tail.seen == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("ending", ["rolled back", "connection lost"])
async def test_a_transaction_that_never_commits_leaves_no_hole(store: Store, tail: Tail, ending: str) -> None:
    async with holding(store.dsn, an_append(("a", END), ("a", END))) as held:
        b = asyncio.ensure_future(store.appender.append(an_append(("b", END))))
        await waiting_for_the_lock(store.dsn, 1)
        if ending == "rolled back":
            await held.roll_back()
    verdict = await b

    assert isinstance(verdict, Accepted)
    assert verdict.first == 1
    await store.appender.append(an_append(("c", END)))
    await tail.until_seen(2)
    assert tail.seen == [(1, "b"), (2, "c")]


async def test_other_long_transactions_hold_nobody_up(store: Store, tail: Tail) -> None:
    analyst = await asyncpg.connect(store.dsn)
    async with analyst.transaction(isolation="repeatable_read"):
        assert await analyst.fetchval("select count(*) from events") == 0
        await store.appender.append(an_append(("a", END)))
        await tail.until_seen(1)
        assert await analyst.fetchval("select count(*) from events") == 0
    await analyst.close()


async def test_a_moment_is_not_past_while_an_append_may_still_bear_it(store: Store) -> None:
    async with holding(store.dsn, an_append(("a", END))) as held:
        row = await store.pool.fetchrow("select clock_timestamp() as now")
        assert row
        asked = asyncio.ensure_future(store.reader.is_past(row["now"]))
        await waiting_for_the_lock(store.dsn, 1)
        assert not asked.done()
        await held.commit()

    assert await asked
