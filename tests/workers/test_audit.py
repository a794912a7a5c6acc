"""Auditing: it proves sound read models sound, and finds every defect that was planted in them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from adapters.stopping import end
from projections.progress_summary import cache_key
from projections.read_models import READ_MODELS
from projections.user_profile import cache_key as profile_key
from tests.workers.conftest import OwnMachine, Platform
from tests.workers.generations import SUMMARIES, at_work, catch_up, rebuilt
from tests.workers.running import eventually
from tests.workers.students import live, practise
from workers.audit import Audited, _count, audit
from workers.audit_schedule import audit_for_ever
from workers.switch import switch

EVERYONE = 10_000


async def audited(platform: Platform, sample: int = EVERYONE, seed: int = 0) -> Audited:
    return await audit(platform.pool, platform.cache, READ_MODELS, sample=sample, seed=seed)


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection that may do anything."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def students(platform: Platform) -> list[UUID]:
    """Return students whose summaries and profiles were projected and read."""
    students = await live(platform.store, people=5, reports=4)
    await catch_up(platform)
    for student in students:
        await platform.summary.now(student, datetime.now(UTC))
        await platform.profile(student, datetime.now(UTC))
    return students


async def test_counting_reads_the_log_once(platform: Platform, students: list[UUID]) -> None:
    assert students
    async with platform.pool.acquire() as connection, connection.transaction():
        await _count(connection, READ_MODELS, [])

        read = await connection.fetchval(
            "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = 'events'"
        )

    assert 0 < read <= 2 * await platform.store.reader.head()


async def test_what_is_sound_is_proved_sound(platform: Platform, students: list[UUID]) -> None:
    await rebuilt(platform)

    found = await audited(platform)

    assert found.differences == []
    assert found.students == len(students)
    assert found.values == 2 * len(students)
    assert {(one.projection, one.generation, one.state, one.applied, one.handled) for one in found.generations} == {
        ("user_profile", 1, "live", 5, 5),
        ("progress_records", 1, "live", 20, 20),
        ("assessment_results", 1, "live", 0, 0),
        ("question_bank", 1, "live", 0, 0),
        ("progress_summary", 1, "live", 25, 25),
        ("progress_summary", 2, "fed", 25, 25),
    }


async def test_nothing_is_wrong_while_everything_is_at_work(platform: Platform) -> None:
    students = await live(platform.store, people=3, reports=2)

    async with at_work(platform, pause=0.01):
        for student in students:
            await platform.summary.now(student, datetime.now(UTC))
        for seed in range(3):
            assert (await audited(platform, seed=seed)).differences == []


async def test_parts_that_stand_at_different_positions_are_counted_each_to_its_own(platform: Platform) -> None:
    await live(platform.store)
    await platform.project()
    await live(platform.store, people=2)
    await platform.project()

    assert (await audited(platform)).differences == []


async def test_the_same_seed_draws_the_same_students_and_no_more_than_asked_for(platform: Platform) -> None:
    await live(platform.store, people=12, reports=1)
    await platform.project()

    assert (await audited(platform, sample=4)).students == 4
    assert (await audited(platform, sample=0)).students == 0


async def test_an_empty_log_is_sound(platform: Platform) -> None:
    found = await audited(platform)

    assert found.differences == []
    assert found.students == 0


PLANTED = {
    "a lost row": "delete from read.progress_records_g1 where (student_id, score) = ($1, 2)",
    "a doubled effect": "update read.progress_topics_g1 set records = 2 * records where student_id = $1",
    "a doubled row": """
        insert into read.progress_records_g1
        select student_id, position + 1000, id, subject, topic, score, time_spent, completed, source, occurred_at,
            created_at
        from read.progress_records_g1 where (student_id, score) = ($1, 2)
    """,
    "a changed sum": "update read.progress_topics_g1 set score_sum = score_sum + 1 where student_id = $1",
    "a lost student": "delete from read.user_profile_g1 where user_id = $1",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED.keys())
async def test_rows_that_are_not_what_the_log_says_are_found(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection, planted: str
) -> None:
    await owner.execute(planted, students[1])

    differences = (await audited(platform)).differences

    assert differences
    assert all(str(students[1]) in difference for difference in differences)


async def test_a_wrong_count_is_found_whoever_is_drawn(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    assert students
    await owner.execute(
        "update read.cursors set applied = applied - 1 where projection = 'progress_records' and part ="
        " (select part from read.cursors where projection = 'progress_records' and applied > 0 limit 1)"
    )

    [difference] = (await audited(platform, sample=0)).differences

    assert "progress_records, generation 1, part" in difference


async def test_an_event_that_was_skipped_is_found_whoever_is_drawn(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    receipt = await practise(platform.store, students[0])
    await owner.execute(
        "update read.cursors set position = $1, event_id = (select event_id from events where position = $1)",
        receipt.first,
    )

    differences = (await audited(platform, sample=0)).differences

    assert [difference.split(",")[0] for difference in differences] == ["progress_records", "progress_summary"]


@pytest.mark.parametrize("key", [cache_key, profile_key], ids=["summary", "profile"])
async def test_a_stale_value_in_redis_is_found(
    platform: Platform, students: list[UUID], redis_client: Redis, key: object
) -> None:
    name = key(students[3])  # type: ignore[operator]
    value = await redis_client.get(name)
    assert value
    text = value.decode() if isinstance(value, bytes) else value
    await redis_client.set(name, text.replace("math", "mats").replace("UTC", "GMT"))

    [difference] = (await audited(platform)).differences

    assert str(students[3]) in difference
    assert "Redis" in difference


async def test_a_generation_that_was_switched_to_without_parity_is_found(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    await rebuilt(platform)
    await owner.execute("delete from read.progress_activity_g2 where student_id = $1", students[4])
    for view in SUMMARIES.tables:
        await owner.execute(f"create or replace view read.{view} as select * from read.{view}_g2")

    differences = (await audited(platform)).differences

    assert sum("but generation 1 is live" in difference for difference in differences) == 3
    assert any("generation 2" in difference and str(students[4]) in difference for difference in differences)


async def test_parked_students_are_compared_up_to_where_they_are_parked(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection
) -> None:
    receipt = await practise(platform.store, students[0])
    await owner.execute(
        """
        with parked as (
            insert into read.parked_events (projection, generation, position, part, student_id, error)
            select projection, 1, position, part, subject, 'Error'
            from events, unnest(array['progress_records', 'progress_summary']) as projection where position = $1
            returning projection, part, position
        )
        update read.cursors set parked = 1, position = parked.position
        from parked where (cursors.projection, cursors.part) = (parked.projection, parked.part)
        """,
        receipt.first,
    )

    assert (await audited(platform)).differences == []

    await owner.execute("update read.cursors set parked = 0")
    differences = (await audited(platform, sample=0)).differences
    assert [difference.split(": ")[1] for difference in differences] == ["the cursor says 0 wait, but 1 do"] * 2


async def test_redis_may_be_empty_or_away(own_machine: OwnMachine) -> None:
    platform = own_machine.platform
    await live(platform.store, people=2, reports=1)
    await catch_up(platform)
    await own_machine.kill_valkey()

    found = await audited(platform)

    assert found.differences == []
    assert found.values == 0


async def test_after_a_switch_everything_is_sound(platform: Platform, students: list[UUID]) -> None:
    await rebuilt(platform)
    await switch(platform.store.dsn, SUMMARIES, platform.cache)
    await platform.summary.now(students[0], datetime.now(UTC))

    found = await audited(platform)

    assert found.differences == []
    assert {(one.generation, one.state) for one in found.generations if one.projection == SUMMARIES.name} == {
        (1, "fed"),
        (2, "live"),
    }


def metric(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


async def test_on_a_schedule_it_raises_a_metric_and_names_nobody(
    platform: Platform, students: list[UUID], owner: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    await owner.execute("update read.progress_topics_g1 set records = records + 1 where student_id = $1", students[0])

    async def has_found() -> bool:
        return metric("afterschool_audit_differences") == 2  # the row is wrong, and Redis holds another

    auditing = asyncio.create_task(audit_for_ever(platform.pool, platform.cache, READ_MODELS, every=0.05))
    await eventually(has_found)
    await end(auditing)

    assert metric("afterschool_audit_last_run_seconds") > datetime.now(UTC).timestamp() - 60
    printed = "".join(capsys.readouterr())
    assert "audit_found_differences" in printed
    assert str(students[0]) not in printed


async def test_the_schedule_outlives_the_database(own_machine: OwnMachine) -> None:
    platform = own_machine.platform
    await live(platform.store, people=1, reports=1)
    await catch_up(platform)
    auditing = asyncio.create_task(audit_for_ever(platform.pool, platform.cache, READ_MODELS, every=0.05))

    await own_machine.kill_postgres()
    await asyncio.wait({auditing}, timeout=0.5)
    await own_machine.postgres.start()
    again = metric("afterschool_audit_last_run_seconds")

    async def has_run() -> bool:
        return metric("afterschool_audit_last_run_seconds") > again

    await eventually(has_run)
    await end(auditing)
