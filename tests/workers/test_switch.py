"""Switching: only to an equal, without a failed read, and never back in time."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from domain.events import Event, ProgressRecorded
from projections.cache import Lease
from projections.progress_summary import ProgressSummaries, Summaries, cache_key, read_summary
from projections.projection import Projection, Seen
from projections.read_models import READ_MODELS
from tests.workers.conftest import OwnMachine, Platform
from tests.workers.generations import SUMMARIES, assert_alike, at_work, catch_up, rebuilt, states_of
from tests.workers.poisonous import POISON, PoisonousSummaries
from tests.workers.running import eventually, somebody_waits
from tests.workers.students import live, practise
from workers.audit import audit
from workers.generations import GenerationsRefused
from workers.parking import discard, retry
from workers.switch import Switched, drop_others, rollback, switch


async def switched(platform: Platform, projection: Projection = SUMMARIES, *, accept: bool = False) -> Switched:
    return await switch(platform.store.dsn, projection, platform.cache, accept_differences=accept)


async def rolled_back(platform: Platform, projection: Projection = SUMMARIES) -> Switched:
    return await rollback(platform.store.dsn, projection, platform.cache)


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection that may do anything."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def students(platform: Platform) -> list[UUID]:
    """Return students whose summaries are projected, in two generations."""
    students = await live(platform.store, people=6, reports=4)
    await catch_up(platform)
    await rebuilt(platform)
    return students


async def served_by(platform: Platform, projection: Projection) -> set[str]:
    """Return the tables that the views stand on."""
    rows = await platform.pool.fetch(
        """
        select distinct refobjid::regclass::text as source from pg_depend
        join pg_rewrite on pg_rewrite.oid = objid
        where refclassid = 'pg_class'::regclass and ev_class = any($1::text[]::regclass[]) and refobjid <> ev_class
        """,
        [f"read.{table}" for table in projection.tables],
    )
    return {row["source"] for row in rows}


@pytest.mark.parametrize("projection", READ_MODELS, ids=lambda projection: projection.name)
async def test_readers_see_the_new_generation_and_a_projector_feeds_both(
    platform: Platform, projection: Projection
) -> None:
    [student, *_] = await live(platform.store)
    await platform.project()
    await rebuilt(platform, projection)

    assert await switched(platform, projection) == Switched(2, 1, [])

    assert await states_of(platform.pool, projection) == {1: "fed", 2: "live"}
    assert await served_by(platform, projection) == {f"read.{table}_g2" for table in projection.tables}
    await practise(platform.store, student)
    await catch_up(platform)
    await assert_alike(platform, projection, 1, 2)
    assert (await platform.pool.fetchval("select count(*) from users")) == 5
    assert (await platform.pool.fetchval("select count(*) from progress")) == 31


async def test_it_can_be_taken_back_and_forth(platform: Platform, students: list[UUID]) -> None:
    assert await switched(platform) == Switched(2, 1, [])
    await practise(platform.store, students[0])
    await catch_up(platform)

    assert await rolled_back(platform) == Switched(1, 2, [])
    assert await served_by(platform, SUMMARIES) == {f"read.{table}_g1" for table in SUMMARIES.tables}
    assert await switched(platform) == Switched(2, 1, [])

    assert await states_of(platform.pool) == {1: "fed", 2: "live"}


async def make_live(owner: asyncpg.Connection, generation: int) -> None:
    """Change the states alone, as no command would."""
    await owner.execute("update read.generations set state = 'fed' where projection = $1", SUMMARIES.name)
    await owner.execute(
        "update read.generations set state = 'live' where projection = $1 and generation = $2",
        SUMMARIES.name,
        generation,
    )


PLANTED = {
    "a lost row": "delete from read.progress_topics_g2 where (student_id, topic) = ($1, 'topic 0')",
    "a row too many": "insert into read.progress_activity_g2 values ($1, 'epoch', 1, 60)",
    "a changed sum": "update read.progress_topics_g2 set score_sum = 1 where (student_id, topic) = ($1, 'topic 0')",
    "a missing value": "update read.progress_students_g2 set timezone = null where student_id = $1",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize("accept", [False, True], ids=["unaccepted", "accepted"])
@pytest.mark.usefixtures("redis_client")
async def test_a_generation_that_is_wrong_is_never_switched_to(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection, planted: str, *, accept: bool
) -> None:
    await owner.execute(planted, students[2])

    with pytest.raises(GenerationsRefused, match=str(students[2])) as refusal:
        await switched(platform, accept=accept)

    assert not any(str(student) in str(refusal.value) for student in students if student != students[2])
    assert await states_of(platform.pool) == {1: "live", 2: "fed"}
    assert await served_by(platform, SUMMARIES) == {f"read.{table}_g1" for table in SUMMARIES.tables}


async def test_differences_are_named_by_part_and_student(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    await owner.execute("update read.progress_students_g2 set position = position + 1")

    with pytest.raises(GenerationsRefused) as refusal:
        await switched(platform)

    assert all(str(student) in str(refusal.value) for student in students)
    assert "part" in str(refusal.value)


class MendedSummaries(ProgressSummaries):
    """Summaries that count half of the time, as today's rules would have it."""

    def fold(self, events: Iterable[Seen], onto: Summaries | None = None) -> Summaries:
        return super().fold([Seen(_halved(event), record) for event, record in events], onto)


def _halved(event: Event) -> Event:
    if isinstance(event, ProgressRecorded):
        return event.model_copy(update={"time_spent": event.time_spent // 2})
    return event


async def test_what_a_mended_fold_changes_must_be_accepted_and_is_held_against_the_log(
    platform: Platform, redis_client: Redis
) -> None:
    students = await live(platform.store)
    await platform.project()
    await platform.summary.now(students[0], datetime.now(UTC))
    await rebuilt(platform, MendedSummaries())

    with pytest.raises(GenerationsRefused, match="accept-differences"):
        await switched(platform, MendedSummaries())
    assert await redis_client.get(cache_key(students[0])) is not None
    with pytest.raises(GenerationsRefused, match="is not what the log says"):
        await switched(platform, ProgressSummaries(), accept=True)
    done = await switched(platform, MendedSummaries(), accept=True)

    assert sum(difference.differing for difference in done.differences) == len(students)
    seen = json.loads((await platform.summary.now(students[0], datetime.now(UTC))).body)
    assert seen["self_reported"]["time_spent"] == 6 * 30


@pytest.mark.parametrize("accept", [False, True], ids=["unaccepted", "accepted"])
async def test_what_the_live_generation_has_folded_must_not_be_parked_in_the_next(
    platform: Platform, *, accept: bool
) -> None:
    student, *_ = await live(platform.store)
    bad = await practise(platform.store, student, score=POISON)
    await practise(platform.store, student)
    await catch_up(platform)
    broken = PoisonousSummaries()
    await rebuilt(platform, broken)

    with pytest.raises(GenerationsRefused, match="parked"):
        await switched(platform, broken, accept=accept)

    async with platform.pool.acquire() as connection:
        assert await discard(connection, student, bad.last)
        await retry(connection, {SUMMARIES.name: broken}, student)
    assert await switched(platform, broken, accept=True)


async def test_generations_at_different_positions_are_never_switched(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    await owner.execute("update read.cursors set position = 0 where (generation, part) = (2, 7)")

    with pytest.raises(GenerationsRefused, match="different positions in part 7"):
        await switched(platform)
    await owner.execute(
        "update read.generations set state = 'fed' where generation = 1 and projection = $1", SUMMARIES.name
    )
    await owner.execute("update read.generations set state = 'live' where generation = 2")
    with pytest.raises(GenerationsRefused, match="different positions in part 7"):
        await rolled_back(platform)

    assert students


async def test_without_a_newer_or_complete_generation_there_is_nothing_to_switch_to(
    platform: Platform, owner: asyncpg.Connection
) -> None:
    with pytest.raises(GenerationsRefused, match="rebuild first"):
        await switched(platform)
    with pytest.raises(GenerationsRefused, match="is kept"):
        await rolled_back(platform)
    await rebuilt(platform)
    await owner.execute("update read.generations set state = 'filling' where generation = 2")
    with pytest.raises(GenerationsRefused, match="not complete"):
        await switched(platform)


async def test_whatever_is_not_live_can_be_dropped(platform: Platform, students: list[UUID]) -> None:
    await switched(platform)

    assert await drop_others(platform.store.dsn, SUMMARIES) == [1]

    assert await states_of(platform.pool) == {2: "live"}
    left = await platform.pool.fetch(
        "select relname from pg_class where relname ~ '^progress_(students|topics|activity)_g1$'"
    )
    assert left == []
    await practise(platform.store, students[0])
    await catch_up(platform)
    assert await rebuilt(platform)
    await assert_alike(platform, SUMMARIES, 2, 3)


async def test_a_generation_that_somebody_reads_is_not_dropped(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.generations.PATIENCE", 0.1)
    assert students
    async with owner.transaction():
        await owner.execute("select from read.progress_topics_g2")

        with pytest.raises(GenerationsRefused, match="Somebody reads generation 2"):
            await drop_others(platform.store.dsn, SUMMARIES)

    assert await states_of(platform.pool) == {1: "live", 2: "fed"}
    assert await drop_others(platform.store.dsn, SUMMARIES) == [2]


async def test_a_cached_value_does_not_outlive_the_switch_nor_a_lease_taken_before_it(
    platform: Platform, students: list[UUID], redis_client: Redis
) -> None:
    now = datetime.now(UTC)
    await platform.summary.now(students[0], now)
    lease = await platform.cache.lease(cache_key(students[1]))
    assert isinstance(lease, Lease)
    old = await read_summary(platform.pool, students[1])
    assert old

    await switched(platform)

    assert await redis_client.get(cache_key(students[0])) is None
    assert not await platform.cache.fill(
        cache_key(students[1]), lease, b"old", position=old.position, expires_at=now.replace(year=2100)
    )


async def test_a_projector_that_meets_a_switch_drops_cached_values_in_its_stead(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection, redis_client: Redis
) -> None:
    await practise(platform.store, students[0])
    await platform.project()
    await platform.summary.now(students[1], datetime.now(UTC))
    await owner.execute(
        "update read.generations set state = 'fed' where state = 'live' and projection = $1", SUMMARIES.name
    )
    await owner.execute("update read.generations set state = 'live' where generation = 2")

    await practise(platform.store, students[0])
    await platform.project()

    assert await redis_client.get(cache_key(students[1])) is None


async def test_cancelled_at_any_moment_it_has_switched_everything_or_nothing(
    platform: Platform, students: list[UUID], redis_client: Redis
) -> None:
    for n in range(1, 13):
        act = rolled_back if (await states_of(platform.pool))[2] == "live" else switched
        doomed = asyncio.create_task(act(platform))
        await asyncio.wait({doomed}, timeout=n / 200)
        doomed.cancel()
        await asyncio.wait({doomed})

        live = next(number for number, state in (await states_of(platform.pool)).items() if state == "live")
        assert await served_by(platform, SUMMARIES) == {f"read.{table}_g{live}" for table in SUMMARIES.tables}
        assert (await audit(platform.pool, platform.cache, READ_MODELS, sample=0)).differences == []

    await platform.summary.now(students[0], datetime.now(UTC))
    with suppress(GenerationsRefused):  # it may have come to its end
        await switched(platform)
    assert (await states_of(platform.pool))[2] == "live"
    assert await redis_client.get(cache_key(students[0])) is None


async def test_while_redis_is_away_the_switch_waits_to_tell_it(own_machine: OwnMachine) -> None:
    platform = own_machine.platform
    await live(platform.store, people=2, reports=1)
    await platform.project()
    await rebuilt(platform)
    await own_machine.kill_valkey()

    async def is_live() -> bool:
        return (await states_of(platform.pool))[2] == "live"

    switching = asyncio.create_task(switched(platform))
    await eventually(is_live)
    await asyncio.wait({switching}, timeout=0.3)
    assert not switching.done()
    await own_machine.valkey.start()

    assert await switching == Switched(2, 1, [])


async def test_readers_go_first_and_the_switch_gives_way(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("select from read.progress_topics limit 1")

    switching = asyncio.create_task(switched(platform))
    await eventually(lambda: somebody_waits(platform))
    assert await asyncio.wait_for(read_summary(platform.pool, students[0]), 2)
    assert not switching.done()
    await transaction.rollback()

    assert await switching == Switched(2, 1, [])


POSITION = re.compile(rb'"as_of":{"position":(\d+),')


class Readers:
    """People who ask for summaries all the time, and notice when one is older than what they saw before."""

    def __init__(self, platform: Platform, students: list[UUID]) -> None:
        self.reads = 0
        self._platform = platform
        self._students = students

    @asynccontextmanager
    async def at_it(self, how_many: int = 12) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for n in range(how_many):
                group.create_task(self._read(n, stop))
            try:
                yield
            finally:
                stop.set()

    async def read_more(self, reads: int) -> None:
        """Wait until there were so many reads more."""
        enough = self.reads + reads

        async def is_enough() -> bool:
            return self.reads >= enough

        await eventually(is_enough)

    async def _read(self, n: int, stop: asyncio.Event) -> None:
        seen: dict[UUID, int] = {}
        while not stop.is_set():
            n += 1
            student = self._students[n % len(self._students)]
            answer = await self._platform.summary.now(student, datetime.now(UTC))
            position = int(POSITION.search(answer.body)[1])  # type: ignore[index]
            assert position >= seen.get(student, 0), "a reader was sent back in time"
            seen[student] = position
            self.reads += 1
            if n % 10 == 0:
                assert await read_summary(self._platform.pool, student)
                self.reads += 1


async def test_of_thousands_of_reads_meanwhile_none_fails_nor_goes_back(platform: Platform) -> None:
    students = await live(platform.store, people=30, reports=10)
    await catch_up(platform)
    readers = Readers(platform, students)

    async with at_work(platform, writers=2, pause=0.02), readers.at_it():
        for act in (rebuilt, switched, rolled_back, switched) * 2:
            await act(platform)
            await readers.read_more(500)

    assert readers.reads > 4000
    assert max(await states_of(platform.pool)) == 3
    await assert_alike(platform, SUMMARIES, *await states_of(platform.pool))
