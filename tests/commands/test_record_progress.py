"""RecordProgress: it records, it refuses, it stays quiet when repeated, and it never waits for history."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from commands.record_progress import RecordProgress, record_progress
from domain.cause import Cause, Receipt, event_id
from domain.errors import IdempotencyKeyReused, InvalidValue, NotAllowed, UserUnknown
from domain.events import GuardianAdded
from eventstore.codec import decode
from eventstore.fingerprints import Fingerprints
from eventstore.log import EventLog, _History
from eventstore.record import part_of
from tests.domain.people import REGISTERED
from tests.eventstore.conftest import Store, a_cause, key_set
from tests.eventstore.test_log import guard_child, register


def a_report(student: UUID, cause: Cause | None = None) -> RecordProgress:
    return RecordProgress(
        cause=cause or a_cause(student),
        student_id=student,
        subject="math",
        topic="fractions",
        score=8_725,
        time_spent=640,
        completed=True,
    )


async def test_a_report_is_recorded_with_its_source_and_its_cause(store: Store) -> None:
    student = await register(store)
    cause = replace(a_cause(student), correlation_id=uuid4(), causation_id=uuid4(), traceparent="00-trace")

    receipt = await record_progress(store.log, a_report(student, cause))

    [record] = await store.reader.stream(f"practice-{student}")
    assert (receipt.command_id, receipt.first, receipt.last) == (cause.command_id, REGISTERED + 1, REGISTERED + 1)
    assert (receipt.recorded_at, receipt.repeated) == (record.recorded_at, False)
    assert (record.position, record.version, record.type) == (REGISTERED + 1, 1, "ProgressRecorded")
    assert json.loads(record.data) == {
        "subject": "math",
        "topic": "fractions",
        "score": 8_725,
        "time_spent": 640,
        "completed": True,
        "source": "self_reported",
    }
    assert (record.subject, record.part) == (student, part_of(student, ""))
    assert (record.actor, record.command_id) == (student, cause.command_id)
    assert record.event_id == event_id(cause.command_id, 1)
    assert (record.correlation_id, record.causation_id) == (cause.correlation_id, cause.causation_id)
    assert (record.traceparent, record.occurred_at) == ("00-trace", cause.occurred_at)
    assert record.sealed is None
    assert decode(record).timestamp == cause.occurred_at


async def test_a_report_of_the_past_keeps_its_own_moment(store: Store) -> None:
    student = await register(store)
    cause = a_cause(student)
    then = cause.occurred_at - timedelta(days=3)

    await record_progress(store.log, replace(a_report(student, cause), occurred_at=then))

    [record] = await store.reader.stream(f"practice-{student}")
    assert record.occurred_at == then
    assert abs(record.recorded_at - cause.occurred_at) < timedelta(minutes=1)


async def test_a_report_of_someone_unknown_is_refused(store: Store) -> None:
    with pytest.raises(UserUnknown):
        await record_progress(store.log, a_report(uuid4()))

    assert await store.reader.head() == 0


async def test_a_report_of_a_parent_is_refused(store: Store) -> None:
    parent = await register(store, "parent")

    with pytest.raises(NotAllowed):
        await record_progress(store.log, a_report(parent))

    assert await store.reader.head() == 1


@pytest.mark.parametrize("off", [timedelta(days=-31), timedelta(minutes=6)])
async def test_a_report_from_out_of_time_is_refused(store: Store, off: timedelta) -> None:
    student = await register(store)
    report = a_report(student)

    with pytest.raises(InvalidValue):
        await record_progress(store.log, replace(report, occurred_at=report.cause.occurred_at + off))

    assert await store.reader.head() == REGISTERED


async def test_a_refused_report_may_be_mended_under_the_same_command_id(store: Store) -> None:
    student = await register(store)
    report = a_report(student)
    with pytest.raises(InvalidValue):
        await record_progress(store.log, replace(report, occurred_at=report.cause.occurred_at - timedelta(days=31)))

    receipt = await record_progress(store.log, report)

    assert (receipt.first, receipt.repeated) == (REGISTERED + 1, False)


async def test_a_repeat_records_nothing_and_answers_the_same(store: Store) -> None:
    student = await register(store)
    report = a_report(student)
    first = await record_progress(store.log, report)

    again = await record_progress(store.log, report)

    assert again == replace(first, repeated=True)
    assert await store.reader.head() == REGISTERED + 1


async def test_a_repeat_that_has_become_too_late_still_answers_the_same(store: Store) -> None:
    student = await register(store)
    report = a_report(student)
    report = replace(report, occurred_at=report.cause.occurred_at - timedelta(days=30))
    first = await record_progress(store.log, report)
    a_day_later = replace(report.cause, occurred_at=report.cause.occurred_at + timedelta(days=1))

    again = await record_progress(store.log, replace(report, cause=a_day_later))

    assert again == replace(first, repeated=True)


async def test_another_report_under_the_same_command_id_is_refused(store: Store) -> None:
    student = await register(store)
    cause = a_cause(student, body=b"one")
    await record_progress(store.log, a_report(student, cause))

    with pytest.raises(IdempotencyKeyReused):
        await record_progress(store.log, a_report(student, replace(cause, body=b"two")))

    assert await store.reader.head() == REGISTERED + 1


async def test_without_a_common_command_id_a_retry_is_a_new_fact(store: Store) -> None:
    student = await register(store)

    await record_progress(store.log, a_report(student))
    await record_progress(store.log, a_report(student))

    assert len(await store.reader.stream(f"practice-{student}")) == 2


async def test_reports_of_several_processes_at_once_never_conflict(store: Store) -> None:
    student = await register(store)
    logs = [EventLog(store.reader, store.appender, store.keys, Fingerprints(key_set(1))) for _ in range(4)]

    receipts = await asyncio.gather(*(record_progress(logs[n % 4], a_report(student)) for n in range(200)))

    assert sorted(receipt.first for receipt in receipts) == list(range(REGISTERED + 1, REGISTERED + 201))
    versions = [record.version for record in await store.reader.stream(f"practice-{student}")]
    assert versions == list(range(1, 201))


async def test_recording_does_not_read_the_practice_history(store: Store) -> None:
    student = await register(store)
    first = await record_progress(store.log, a_report(student))
    owner = await asyncpg.connect(store.dsn)
    await owner.execute(
        """
        insert into events
        select (jsonb_populate_record(e, jsonb_build_object('position', $1 + 1, 'version', 2, 'type', 'Unreadable'))).*
        from events e where position = $1
        """,
        first.last,
    )
    await owner.close()

    receipt = await record_progress(store.log, a_report(student))

    assert receipt.first == first.last + 2


async def test_an_account_that_moved_meanwhile_is_looked_at_again(store: Store) -> None:
    student = await register(store)
    other_process = EventLog(store.reader, store.appender, store.keys, Fingerprints(key_set(1)))
    first = await record_progress(other_process, a_report(student))  # it remembers the account now
    await guard_child(store, student)

    receipt = await record_progress(other_process, a_report(student))

    assert receipt.first == first.last + 2


async def test_the_account_is_the_guard_of_every_report(store: Store) -> None:
    student = await register(store)
    decisions = 0

    class Meanwhile(EventLog):
        """A log on which the account moves between a decision and its append, once."""

        async def execute(self, cause: Cause, decide: Callable[[_History], Awaitable[None]]) -> Receipt:
            async def decide_and_move(history: _History) -> None:
                nonlocal decisions
                decisions += 1
                await decide(history)
                if decisions == 1:
                    await guard_child(store, student)

            return await super().execute(cause, decide_and_move)

    log = Meanwhile(store.reader, store.appender, store.keys, Fingerprints(key_set(1)))

    receipt = await record_progress(log, a_report(student))

    assert (decisions, receipt.first) == (2, REGISTERED + 2)
    assert [record.type for record in await store.reader.read(REGISTERED)] == [GuardianAdded.TOPIC, "ProgressRecorded"]
