"""GetProgressSummary: today's answer, the answer that holds what I just did, and any answer of the past."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from domain.errors import NotYetRecorded, PositionAhead, UserUnknown
from projections.get_progress_summary import AsOf, GetProgressSummary
from tests.domain.people import REGISTERED
from tests.eventstore.test_log import register as register_as
from tests.workers.conftest import Platform
from tests.workers.students import part, practise, register, someone_not_of, someone_of


@pytest.fixture
async def impatient(platform: Platform) -> GetProgressSummary:
    """Return the query with no time to wait for the read model."""
    return GetProgressSummary(platform.pool, platform.store.reader, platform.cache, patience=0.0)


def shown(body: bytes) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(body)
    return summary


def now() -> datetime:
    return datetime.now(UTC)


async def test_the_summary_of_today_holds_what_was_projected(platform: Platform) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student, score=8750)
    await platform.project()

    answer = await platform.summary.now(student, now())

    assert answer.stale_by == 0
    assert shown(answer.body)["self_reported"]["last_score"] == 87.5
    assert shown(answer.body)["as_of"]["position"] == receipt.last


async def test_a_student_who_has_just_registered_is_answered_before_the_projector_knows_them(
    platform: Platform,
) -> None:
    student = await register(platform.store)
    await practise(platform.store, student)

    before = await platform.summary.now(student, now())
    await platform.project()
    after = await platform.summary.now(student, now())

    assert shown(before.body)["self_reported"]["records"] == 1
    assert before.body == after.body


async def test_strangers_and_parents_have_no_summary(platform: Platform) -> None:
    parent = await register_as(platform.store, "parent")
    await platform.project()

    for nobody in (parent, uuid4()):
        with pytest.raises(UserUnknown):
            await platform.summary.now(nobody, now())
        with pytest.raises(UserUnknown):
            await platform.summary.past(nobody, AsOf(position=1))


async def test_asked_again_after_more_events_the_past_has_the_same_bytes(platform: Platform) -> None:
    student = await register(platform.store, timezone="Asia/Kathmandu")
    receipt = await practise(platform.store, student, score=1000)
    day = receipt.recorded_at.astimezone(ZoneInfo("Asia/Kathmandu")).date()
    await platform.project()
    then = await platform.summary.now(student, receipt.recorded_at)
    await practise(platform.store, student, score=9000)
    await practise(platform.store, student, topic="angles")
    await platform.project()

    by_position = await platform.summary.past(student, AsOf(position=receipt.last))
    by_time = await platform.summary.past(student, AsOf(time=receipt.recorded_at))
    on_that_day = await platform.summary.past(student, AsOf(position=receipt.last, day=day))

    assert by_position == by_time == on_that_day == then


async def test_between_two_events_the_past_is_that_of_the_first(platform: Platform) -> None:
    student, other = await register(platform.store), await register(platform.store)
    first = await practise(platform.store, student)
    between = await practise(platform.store, other)
    await practise(platform.store, student)

    answers = [
        await platform.summary.past(student, moment)
        for moment in (
            AsOf(position=first.last),
            AsOf(position=between.last),
            AsOf(time=first.recorded_at),
            AsOf(time=between.recorded_at),
        )
    ]

    assert len(set(answers)) == 1
    assert shown(answers[0].body)["as_of"]["position"] == first.last


async def test_a_moment_holds_what_was_recorded_by_then_whenever_it_happened(platform: Platform) -> None:
    student = await register(platform.store)
    before = (await practise(platform.store, student)).recorded_at
    await practise(platform.store, student, occurred_at=before - timedelta(days=3))

    answer = await platform.summary.past(student, AsOf(time=before))

    assert shown(answer.body)["self_reported"]["records"] == 1


async def test_a_day_decides_over_todays_figures_and_nothing_else(platform: Platform) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student)
    today = receipt.recorded_at.date()

    on = {
        days: shown((await platform.summary.past(student, AsOf(receipt.last, day=today + timedelta(days=days)))).body)
        for days in (0, 1, 7, 30)
    }

    assert [on[days]["streak"]["days"] for days in on] == [1, 1, 0, 0]
    assert [on[days]["last_7_days"]["records"] for days in on] == [1, 1, 0, 0]
    assert [on[days]["last_30_days"]["records"] for days in on] == [1, 1, 1, 0]
    assert [on[days]["as_of"]["date"] for days in on] == [str(today + timedelta(days=days)) for days in on]
    assert len({json.dumps(on[days]["subjects"]) for days in on}) == 1


@pytest.mark.parametrize("day", [date.min, date.max])
async def test_any_day_of_the_calendar_can_be_asked_for(platform: Platform, day: date) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student)

    answer = await platform.summary.past(student, AsOf(position=receipt.last, day=day))

    assert shown(answer.body)["as_of"]["date"] == day.isoformat()
    assert shown(answer.body)["last_30_days"]["records"] == 0


async def test_what_the_log_has_not_reached_is_refused(platform: Platform) -> None:
    student = await register(platform.store)

    for ahead in (AsOf(position=REGISTERED + 1), AsOf(time=now() + timedelta(minutes=1))):
        with pytest.raises(PositionAhead):
            await platform.summary.past(student, ahead)


async def test_before_the_registration_nothing_was_known(platform: Platform) -> None:
    earlier = await practise(platform.store, await register(platform.store))
    student = await register(platform.store)

    for moment in (AsOf(position=earlier.last), AsOf(time=earlier.recorded_at)):
        with pytest.raises(NotYetRecorded):
            await platform.summary.past(student, moment)


async def test_who_asks_for_a_position_gets_an_answer_that_holds_it(platform: Platform) -> None:
    student = await register(platform.store)
    await platform.project()
    await platform.summary.now(student, now())
    receipt = await practise(platform.store, student)

    patient = GetProgressSummary(platform.pool, platform.store.reader, platform.cache, patience=30.0)
    waiting = asyncio.create_task(patient.at_least(student, now(), receipt.last))
    await platform.project()
    answer = await waiting

    assert answer.stale_by == 0
    assert shown(answer.body)["as_of"]["position"] == receipt.last


async def test_without_patience_the_answer_says_how_many_events_it_misses(
    platform: Platform, impatient: GetProgressSummary
) -> None:
    student = await register(platform.store)
    await platform.project()
    old = await impatient.now(student, now())
    neighbour = await register(platform.store, someone_of(part(student)))
    await register(platform.store, someone_not_of(part(student)))
    for _ in range(2):
        receipt = await practise(platform.store, student)
    await practise(platform.store, neighbour)

    answer = await impatient.at_least(student, now(), receipt.last)

    assert answer.stale_by == REGISTERED + 2  # the neighbour's registration and two reports, but not what came after
    assert answer.body == old.body


async def test_an_answer_is_not_fresh_though_what_it_misses_is_too_far_away_to_be_counted(
    platform: Platform, impatient: GetProgressSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.freshness.WINDOW", 2)
    student = await register(platform.store)
    await platform.project()
    for _ in range(3):
        await register(platform.store, someone_not_of(part(student)))
    receipt = await practise(platform.store, student)

    answer = await impatient.at_least(student, now(), receipt.last)

    assert answer.stale_by == 1


async def test_an_answer_is_fresh_while_only_other_parts_have_events(
    platform: Platform, impatient: GetProgressSummary
) -> None:
    student = await register(platform.store)
    await platform.project()
    stranger = await register(platform.store, someone_not_of(part(student)))
    receipt = await practise(platform.store, stranger)

    answer = await impatient.at_least(student, now(), receipt.last)

    assert answer.stale_by == 0
    assert shown(answer.body)["as_of"]["position"] == 1


async def test_a_cached_answer_serves_who_asks_for_no_more_than_it_holds(
    platform: Platform, impatient: GetProgressSummary
) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student)
    await platform.project()
    cached = await impatient.now(student, now())
    await platform.pool.execute("delete from read.progress_topics_g1")

    assert await impatient.at_least(student, now(), receipt.last) == cached


async def test_with_redis_away_every_answer_is_the_same(platform: Platform, cache_away: GetProgressSummary) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student)
    await platform.project()
    at = now()

    expected = await platform.summary.now(student, at)

    assert await cache_away.now(student, at) == expected
    assert await cache_away.at_least(student, at, receipt.last) == expected
    assert await cache_away.past(student, AsOf(position=receipt.last)) == expected
