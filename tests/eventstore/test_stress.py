"""Stress: 10^5 events from several processes, with slow, rolled-back and killed writers, backends and connections.

Three readers follow the log meanwhile. In the end positions and versions have no hole, no reader missed anything, every
answered command stands where its answer says, once, every refused one is absent, and nobody wrote what nobody sent.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from eventstore.connections import APP, LOST, create_pool
from eventstore.reader import LogReader, Wakeups
from eventstore.record import Record
from tests.eventstore.appends import END, an_append
from tests.eventstore.foreign import holding, until
from tests.eventstore.soundness import assert_sound
from tests.faults.stress_writer import TASKS
from tests.faults.writers import Told, Writers

EVENTS = 100_000
PROCESSES = 3


class ForeignWriter:
    """Another program that appends in long transactions of its own, half of which never commit."""

    def __init__(self, dsn: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self.told = Told()
        self._dsn = dsn
        self._random = random.Random(1)  # noqa: S311  the same pauses in every run

    async def run(self) -> None:
        """Append now and then, for ever."""
        while True:
            outcome = self._random.choice(["committed", "committed", "rolled back", "lost"])
            seconds = self._random.choice([0.02, 0.05, 0.1])
            if self.outcomes.total() == 3:
                outcome, seconds = "long", 1.2  # longer than the appenders wait: their backends finish late
            with suppress(*LOST):
                await self._hold(outcome, seconds)
            await asyncio.sleep(0.2)

    async def _hold(self, outcome: str, seconds: float) -> None:
        append = an_append(*[(f"practice-{n}", END) for n in range(5)])
        self.told.sent.add(append.command_id)
        async with holding(self._dsn, append) as held:
            await asyncio.sleep(seconds)
            if outcome == "rolled back":
                await held.roll_back()
            elif outcome != "lost":
                await held.commit()
                self.told.accepted[append.command_id].add((held.base + 1, held.base + 5))
        if outcome in {"rolled back", "lost"}:
            self.told.refused.add(append.command_id)
        self.outcomes[outcome] += 1


async def kill_connections(dsn: str, kills: Counter[str]) -> None:
    """End one connection after another, whosever it is; two of them by SIGKILL, after which the server recovers."""
    while True:
        with suppress(*LOST):
            connection = await asyncpg.connect(dsn, timeout=2)
            try:
                while True:
                    await asyncio.sleep(0.15)
                    await kill_one(connection, kills)
            finally:
                connection.terminate()
        await asyncio.sleep(0.15)


async def kill_one(connection: asyncpg.Connection, kills: Counter[str]) -> None:
    """Pick a connection of this database and end it."""
    backend = await connection.fetchval(
        """
        select pid from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1
        """
    )
    if backend and kills["ended"] == (5, 12, None)[kills["killed"]]:
        kills["killed"] += 1
        os.kill(backend, signal.SIGKILL)
    elif backend:
        kills["ended"] += 1
        await connection.execute("select pg_terminate_backend($1)", backend)


class Follower:
    """A reader that follows the log from its beginning."""

    def __init__(self, dsn: str, page: int, *, woken: bool) -> None:
        self.seen: list[UUID] = []
        self._dsn = dsn
        self._page = page
        self._wakeups = Wakeups(dsn, APP) if woken else None

    async def run(self) -> None:
        """Follow, for ever."""
        pool = await create_pool(self._dsn, APP, size=1)
        if self._wakeups:
            self._wakeups.start()
        try:
            async for page in LogReader(pool).follow(0, self._wakeups, limit=self._page):
                self.seen += [record.event_id for record in page]
        finally:
            if self._wakeups:
                await self._wakeups.stop()
            pool.terminate()


@pytest.mark.timeout(300)
async def test_a_hundred_thousand_events_survive_slow_rolled_back_and_killed_writers(
    postgres: EmbeddedPostgres, database: str, tmp_path: Path
) -> None:
    await execute(postgres.superuser_url, "checkpoint")  # so that the recovery after the SIGKILL is short
    writers, foreign, kills = Writers(database, tmp_path, EVENTS), ForeignWriter(database), Counter[str]()
    followers = [Follower(database, page, woken=woken) for page, woken in ((5000, True), (700, True), (3000, False))]

    async def until_seen(events: int) -> None:
        async def seen() -> bool:
            return all(len(follower.seen) >= events for follower in followers)

        await until(seen, seconds=90)

    async def all_faults_have_happened() -> bool:
        return kills["ended"] > 12 and kills["killed"] == 2 and len(foreign.outcomes) == 4

    async with running(*(follower.run() for follower in followers)):
        try:
            for _ in range(PROCESSES):
                await writers.start_one()
            await until_seen(1)
            async with running(foreign.run(), kill_connections(database, kills)):
                for share in (0.3, 0.6):
                    await until_seen(int(EVENTS * share))
                    await writers.kill_one()
                await until_seen(EVENTS)
                await until(all_faults_have_happened, seconds=30)
            await writers.stop()
        finally:
            writers.end()
        records, commands = await read_all(database)
        await until_seen(len(records))

    assert_sound(records)
    assert commands == places(records)
    for follower in followers:
        assert follower.seen == [record.event_id for record in records]
    assert_told_the_truth(records, [foreign.told, *map(Told.of, writers.files)])


@asynccontextmanager
async def running(*endless: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run these meanwhile, and end them afterwards; should one fail, so does the block."""
    here = asyncio.current_task()
    tasks = [asyncio.create_task(one) for one in endless]
    for task in tasks:
        task.add_done_callback(lambda done: done.cancelled() or not here or here.cancel())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def read_all(dsn: str) -> tuple[list[Record], dict[UUID, tuple[int, int]]]:
    """Return all events, and where the table of commands says that each one's stand."""
    pool = await create_pool(dsn, APP, size=1)
    pages = LogReader(pool)
    records: list[Record] = []
    while page := await pages.read(len(records)):
        records += page
    rows = await pool.fetch("select command_id, first_position, last_position from commands")
    await pool.close()
    return records, {row["command_id"]: (row["first_position"], row["last_position"]) for row in rows}


def assert_told_the_truth(records: list[Record], told: list[Told]) -> None:
    """Whatever was accepted is where it is said to be, whatever was refused is not, and all was sent by somebody."""
    held = places(records)
    for writer in told:
        assert all({held.get(command_id)} == said for command_id, said in writer.accepted.items())
        assert not writer.refused & held.keys()
        assert not writer.refused & writer.accepted.keys()
    assert held.keys() <= set().union(*(writer.sent for writer in told))
    in_doubt = held.keys() - set().union(*(writer.accepted.keys() for writer in told))
    assert len(in_doubt) <= 2 * TASKS + 20  # what the killed processes and lost commits had under way


def places(records: list[Record]) -> dict[UUID, tuple[int, int]]:
    """Return the first and last position of each command's events."""
    first: dict[UUID, int] = {}
    last: dict[UUID, int] = {}
    for record in records:
        first.setdefault(record.command_id, record.position)
        last[record.command_id] = record.position
    return {command_id: (position, last[command_id]) for command_id, position in first.items()}


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()
