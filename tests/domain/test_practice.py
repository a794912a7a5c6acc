"""Practice: a student's own report becomes a fact, if a guardian allows it and it happened in time."""

from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID, uuid4

import pytest

from domain.errors import ConsentRequired, InvalidValue, NotAllowed, UserUnknown
from domain.events import ConsentWithdrawn, ProgressRecorded
from domain.practice import record_practice
from domain.user import User
from tests.domain.people import NOW, a_student, a_user, allow


class Report(TypedDict):
    """What a student says."""

    subject: str
    topic: str
    score: int
    time_spent: int
    completed: bool


REPORT = Report(subject="math", topic="fractions", score=8_725, time_spent=640, completed=True)
MOMENT = timedelta(microseconds=1)


def accept(student: User, occurred_at: datetime = NOW) -> tuple[ProgressRecorded, UUID]:
    return record_practice(student, student_id=student.id, **REPORT, occurred_at=occurred_at, received_at=NOW)


def report(student: User, occurred_at: datetime = NOW) -> ProgressRecorded:
    fact, _ = accept(student, occurred_at)
    return fact


def test_a_report_becomes_a_fact_at_the_end_of_the_practice_stream() -> None:
    student = a_student()

    fact = report(student)

    assert fact == ProgressRecorded(
        originator_id=student.id, originator_version=0, timestamp=NOW, **REPORT, source="self_reported"
    )


def test_nobody_unknown_reports() -> None:
    with pytest.raises(UserUnknown):
        record_practice(None, student_id=uuid4(), **REPORT, occurred_at=NOW, received_at=NOW)


def test_only_students_report() -> None:
    with pytest.raises(NotAllowed):
        report(a_user("parent"))


def test_nobody_reports_before_a_guardian_allows_it() -> None:
    with pytest.raises(ConsentRequired):
        report(a_user("student"))


def test_what_allows_something_else_or_allowed_it_once_allows_no_report() -> None:
    student = a_user("student")
    allow(student, "personalisation", "research")
    allow(student, "learning", policy_version="2025-1")
    ended = allow(student, "learning")
    student.trigger_event(ConsentWithdrawn, consent_id=ended, timestamp=NOW)

    with pytest.raises(ConsentRequired):
        report(student)


def test_a_report_is_accepted_under_the_latest_consent_that_holds() -> None:
    student = a_user("student")
    held = allow(student, "learning", "research", at=NOW - timedelta(days=2))
    allow(student, "learning", at=NOW - timedelta(days=3))
    ended = allow(student, "learning", at=NOW - timedelta(days=1))
    allow(student, "research", at=NOW)

    _, before = accept(student)
    student.trigger_event(ConsentWithdrawn, consent_id=ended, timestamp=NOW)
    _, after = accept(student)

    assert (before, after) == (ended, held)


@pytest.mark.parametrize("off", [-timedelta(days=30), -timedelta(days=1), timedelta(0), timedelta(minutes=5)])
def test_a_report_may_be_a_month_late_and_a_device_a_little_ahead(off: timedelta) -> None:
    assert report(a_student(), NOW + off).timestamp == NOW + off


@pytest.mark.parametrize(
    "off", [-timedelta(days=30) - MOMENT, timedelta(minutes=5) + MOMENT, -timedelta(days=9999), timedelta(days=9999)]
)
def test_any_other_moment_is_refused_by_the_name_of_its_field(off: timedelta) -> None:
    with pytest.raises(InvalidValue) as refusal:
        report(a_student(), NOW + off)

    assert refusal.value.facts["field"] == "occurred_at"


def test_the_same_report_is_the_same_fact() -> None:
    student = a_student()

    assert report(student) == report(student)
