"""Practice: a student's own report becomes a fact, if it happened in time."""

from datetime import datetime, timedelta
from typing import TypedDict
from uuid import uuid4

import pytest

from domain.errors import InvalidValue, NotAllowed, UserUnknown
from domain.events import ProgressRecorded
from domain.practice import record_practice
from domain.user import User
from tests.domain.people import NOW, a_user


class Report(TypedDict):
    """What a student says."""

    subject: str
    topic: str
    score: int
    time_spent: int
    completed: bool


REPORT = Report(subject="math", topic="fractions", score=8_725, time_spent=640, completed=True)
MOMENT = timedelta(microseconds=1)


def report(student: User, occurred_at: datetime = NOW) -> ProgressRecorded:
    fact, _ = record_practice(student, student_id=student.id, **REPORT, occurred_at=occurred_at, received_at=NOW)
    return fact


def test_a_report_becomes_a_fact_at_the_end_of_the_practice_stream() -> None:
    student = a_user("student")

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


@pytest.mark.parametrize("off", [-timedelta(days=30), -timedelta(days=1), timedelta(0), timedelta(minutes=5)])
def test_a_report_may_be_a_month_late_and_a_device_a_little_ahead(off: timedelta) -> None:
    assert report(a_user("student"), NOW + off).timestamp == NOW + off


@pytest.mark.parametrize(
    "off", [-timedelta(days=30) - MOMENT, timedelta(minutes=5) + MOMENT, -timedelta(days=9999), timedelta(days=9999)]
)
def test_any_other_moment_is_refused_by_the_name_of_its_field(off: timedelta) -> None:
    with pytest.raises(InvalidValue) as refusal:
        report(a_user("student"), NOW + off)

    assert refusal.value.facts["field"] == "occurred_at"


def test_the_same_report_is_the_same_fact() -> None:
    student = a_user("student")

    assert report(student) == report(student)
