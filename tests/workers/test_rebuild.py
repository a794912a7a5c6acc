"""Rebuilding: a new generation becomes the live one's twin, whatever is written, projected or killed meanwhile."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import asyncpg
import pytest

from eventstore.record import part_of
from projections.progress_summary import ProgressSummaries, Summaries
from projections.projection import Connection, Projection
from projections.students import STUDENTS
from tests.workers.conftest import Platform
from tests.workers.generations import (
    SUMMARIES,
    assert_alike,
    at_work,
    catch_up,
    cursors_of,
    rebuilt,
    rows_of,
    states_of,
)
from tests.workers.poisonous import POISON, PoisonousRecords, PoisonousSummaries
from tests.workers.running import eventually, somebody_waits
from tests.workers.students import live, practise, register
from workers import filling, generations, side_by_side
from workers.generations import GenerationsRefused, changing, live_of
from workers.rebuild import Rebuilt, rebuild


@pytest.mark.parametrize("projection", STUDENTS, ids=lambda projection: projection.name)
async def test_without_a_projector_the_new_generation_is_the_live_ones_twin(
    platform: Platform, projection: Projection
) -> None:
    await live(platform.store, people=6, reports=8)
    await platform.project()
    await register(platform.store)  # which the live one has not seen, and so the new one must not have either

    *_, last = await rebuilt(platform, projection)

    assert last.attached
    assert await states_of(platform.pool, projection) == {1: "live", 2: "fed"}
    await assert_alike(platform, projection, 1, 2)


@pytest.mark.parametrize("projection", STUDENTS, ids=lambda projection: projection.name)
async def test_from_then_on_a_projector_feeds_both(platform: Platform, projection: Projection) -> None:
    [student, *_] = await live(platform.store)
    await platform.project()
    await rebuilt(platform, projection)

    await practise(platform.store, student)
    await register(platform.store)
    await catch_up(platform)

    await assert_alike(platform, projection, 1, 2)


async def test_with_writers_and_a_projector_at_work_it_is_the_twin_at_every_moment(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "PAGE", 50)
    await live(platform.store, people=20, reports=10)

    async with at_work(platform):
        await rebuilt(platform, flush=100)
        await assert_alike(platform, SUMMARIES, 1, 2)

    await catch_up(platform)
    await assert_alike(platform, SUMMARIES, 1, 2)


async def test_a_table_has_the_keys_the_storage_and_the_grants_of_the_live_one(platform: Platform) -> None:
    await rebuilt(platform)

    described = await platform.pool.fetch(
        """
        select replace(relname, '_g2', '_g1') as name, reloptions,
            (select array_agg(acl::text order by acl::text) from unnest(relacl) as acl) as grants,
            (
                select array_agg(key order by key)
                from pg_constraint cross join lateral pg_get_constraintdef(pg_constraint.oid) as key
                where conrelid = pg_class.oid
            ) as keys
        from pg_class where relname ~ '^progress_(students|topics|activity)_g[12]$' order by relname
        """
    )

    assert len(described) == 6
    assert len({str(dict(row)) for row in described}) == 3


async def test_a_part_that_lags_behind_the_others_is_taken_as_it_is(platform: Platform, database: str) -> None:
    [student, *_] = await live(platform.store, people=8, reports=5)
    await platform.project()
    await hold_back(database, student)

    await rebuilt(platform)

    await assert_alike_to_what_is_applied(platform)


async def hold_back(database: str, student: UUID) -> None:
    """Put the cursor of a student's part back to the beginning, in every read model, with all rows of that part."""
    connection = await asyncpg.connect(database)
    part = part_of(student, "")
    subjects = "select distinct subject from events where part = $1"
    for table in ("progress_students", "progress_topics", "progress_activity"):
        await connection.execute(f"delete from read.{table}_g1 where student_id in ({subjects})", part)
    await connection.execute(
        "update read.cursors set position = 0, event_id = null, applied = 0 where part = $1"
        " and projection = 'progress_summary'",
        part,
    )
    await connection.close()


async def assert_alike_to_what_is_applied(platform: Platform) -> None:
    assert await rows_of(platform.pool, SUMMARIES, 2) == await rows_of(platform.pool, SUMMARIES, 1)
    assert await cursors_of(platform.pool, SUMMARIES, 2) == await cursors_of(platform.pool, SUMMARIES, 1)


async def test_stopped_after_every_step_it_goes_on_and_ends_the_same(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "PAGE", 10)
    await live(platform.store, people=4, reports=6)
    await platform.project()

    calls, last = 0, None
    while last is None or not last.attached:
        calls += 1
        async with aclosing(rebuild(platform.store.dsn, SUMMARIES, flush=10)) as steps:
            async for step in first(2, steps):
                last = step

    assert calls > 3
    assert last.resumed
    assert last.generation == 2
    await assert_alike(platform, SUMMARIES, 1, 2)


async def first(count: int, steps: AsyncIterator[Rebuilt]) -> AsyncIterator[Rebuilt]:
    while count and (step := await anext(steps, None)):
        count -= 1
        yield step


class _Slow(ProgressSummaries):
    """Summaries whose writing takes a statement more, so that there are more moments to be cancelled in."""

    async def write(self, connection: Connection, changes: Summaries, generation: int) -> None:
        await super().write(connection, changes, generation)
        await connection.execute("select pg_sleep(0.005)")


@pytest.mark.parametrize("after", [0.005, 0.02, 0.04, 0.06, 0.08, 0.1])
async def test_cancelled_at_any_moment_it_goes_on_and_ends_the_same(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    monkeypatch.setattr(filling, "PAGE", 10)
    await live(platform.store, people=4, reports=6)
    await platform.project()

    doomed = asyncio.create_task(rebuilt(platform, _Slow(), flush=10))
    await asyncio.wait({doomed}, timeout=after)
    doomed.cancel()
    await asyncio.wait({doomed})
    await rebuilt(platform)

    await assert_alike(platform, SUMMARIES, 1, 2)


KILLED = """
import asyncio, sys
from projections.progress_summary import ProgressSummaries
from workers import filling, side_by_side
from workers.rebuild import Rebuilt, rebuild

filling.PAGE, side_by_side.WORTH = 5, 0

async def main():
    async for step in rebuild(sys.argv[1], ProgressSummaries(), flush=5, processes=int(sys.argv[2])):
        print(step.reached, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(("lines", "processes"), [(1, 1), (4, 1), (2, 2)])
async def test_killed_it_goes_on_and_ends_the_same(platform: Platform, lines: int, processes: int) -> None:
    await live(platform.store, people=4, reports=6)
    await platform.project()

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, platform.store.dsn, str(processes)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert process.stdout
    for _ in range(lines):
        assert await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]
    _, *_, last = await rebuilt(platform)

    assert last.generation == 2
    await assert_alike(platform, SUMMARIES, 1, 2)


async def test_several_processes_fill_side_by_side(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "WORTH", 0)
    await live(platform.store, people=20, reports=5)
    await catch_up(platform)

    steps = [step async for step in rebuild(platform.store.dsn, SUMMARIES, processes=3)]

    assert {step.reached for step in steps} == {0, await platform.store.reader.head()}
    assert steps[-1].attached
    await assert_alike(platform, SUMMARIES, 1, 2)


async def test_what_dead_processes_left_over_is_filled_by_the_first(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "WORTH", 0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    await live(platform.store, people=5, reports=2)
    await platform.project()

    steps = [step async for step in rebuild(platform.store.dsn, SUMMARIES, processes=2)]

    assert steps[-1].attached
    await assert_alike(platform, SUMMARIES, 1, 2)


async def test_never_more_is_held_in_memory_than_the_bound(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []

    class Measured(ProgressSummaries):
        async def write(self, connection: Connection, changes: Summaries, generation: int) -> None:
            held.append(sum(f.records for summary in changes.values() if summary for f in summary.topics.values()))
            await super().write(connection, changes, generation)

    monkeypatch.setattr(filling, "PAGE", 10)
    await live(platform.store, people=5, reports=50)
    await platform.project()

    await rebuilt(platform, Measured(), flush=50)

    assert len(held) > 3
    assert max(held) < 50 + 10


async def test_two_rebuilds_of_one_read_model_never_run_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "PATIENCE", 0.2)
    async with changing(platform.store.dsn, "progress_summary"):
        with pytest.raises(GenerationsRefused, match="is at work"):
            await rebuilt(platform)

        *_, last = await rebuilt(platform, STUDENTS[0])

    assert last.attached


async def test_an_older_generation_that_is_not_live_is_dropped_first(platform: Platform) -> None:
    await live(platform.store)
    await platform.project()
    await rebuilt(platform)

    first, *_, last = await rebuilt(platform)

    assert first.dropped == [2]
    assert last.generation == 2
    await assert_alike(platform, SUMMARIES, 1, 2)


@pytest.mark.parametrize("poisonous", [PoisonousSummaries(), PoisonousRecords()], ids=lambda one: one.name)
async def test_what_cannot_be_folded_is_parked_for_its_own_student(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, poisonous: Projection
) -> None:
    monkeypatch.setattr(filling, "PAGE", 10)
    [ill, *_] = await live(platform.store, people=4, reports=6)
    await practise(platform.store, ill, score=POISON)
    await live(platform.store, people=2, reports=2)
    await practise(platform.store, ill, score=1)
    await platform.project()

    await rebuilt(platform, poisonous, flush=10)

    parked = await platform.pool.fetch(
        "select student_id, error, position from read.parked_events where generation = 2 order by position"
    )
    assert [(row["student_id"], row["error"] != "") for row in parked] == [(ill, True), (ill, False)]
    counted = await platform.pool.fetch(
        """
        select sum(applied)::int as applied, sum(parked)::int as parked from read.cursors
        where projection = $1 group by generation order by generation
        """,
        poisonous.name,
    )
    assert [(row["applied"], row["parked"]) for row in counted] == [(total := counted[0]["applied"], 0), (total - 2, 2)]


async def test_what_is_parked_while_filling_holds_back_what_follows_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "PAGE", 10)
    [ill, *_] = await live(platform.store, people=2, reports=2)
    await practise(platform.store, ill, score=POISON)
    for n in range(30):
        await practise(platform.store, ill, score=n)
    await platform.project()

    await rebuilt(platform, PoisonousSummaries(), flush=10)

    parked = await platform.pool.fetchval("select count(*) from read.parked_events where generation = 2")
    assert parked == 31
    assert await platform.pool.fetchval("select sum(parked) from read.cursors where generation = 2") == 31


async def test_a_projector_that_waited_for_the_attachment_feeds_both_at_once(platform: Platform, database: str) -> None:
    [student, *_] = await live(platform.store)
    await catch_up(platform)
    await rebuilt(platform)
    owner = await asyncpg.connect(database)
    await owner.execute("update read.generations set state = 'filling' where generation = 2")
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("select from read.cursors where projection = 'progress_summary' for update")
    await owner.execute("update read.generations set state = 'fed' where generation = 2")

    await practise(platform.store, student)
    projecting = asyncio.create_task(platform.project())
    await eventually(lambda: somebody_waits(platform))
    await transaction.commit()
    await projecting

    await assert_alike(platform, SUMMARIES, 1, 2)
    await owner.close()


def test_the_live_generation_is_known_by_its_state() -> None:
    assert live_of({1: "fed", 2: "live", 3: "filling"}) == 2
