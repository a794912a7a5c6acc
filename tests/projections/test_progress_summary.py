"""Progress summary: given these events, this is how the child is doing."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from projections.figures import Figures
from projections.progress_summary import Summary, render
from tests.projections.history import NOON, History, person, summaries_of

ADA, BEN = person(1), person(2)
TODAY = NOON.date()
NOTHING = {"records": 0, "mean_score": None, "best_score": None, "last_score": None}


def summary_of(history: History, student: UUID = ADA, today: date = TODAY) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(render(student, summaries_of(history.seen)[student], today))
    return shown


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_student_who_has_just_registered_has_done_nothing_yet() -> None:
    history = History(after=6)
    history.register(ADA, recorded_at=moment("2026-03-04T12:00:00.5Z"))

    assert summary_of(history) == {
        "student_id": str(ADA),
        "as_of": {"position": 7, "recorded_at": "2026-03-04T12:00:00.500000Z", "date": "2026-03-04"},
        "graded": NOTHING | {"time_spent": 0},
        "self_reported": NOTHING | {"completed": 0, "time_spent": 0},
        "subjects": [],
        "last_7_days": {"records": 0, "time_spent": 0},
        "last_30_days": {"records": 0, "time_spent": 0},
        "streak": {"days": 0, "through": None},
        "last_activity": None,
    }


def test_practice_is_added_up() -> None:
    history = History()
    history.register(ADA)
    history.practise(ADA, score=5000, time_spent=60, completed=False)
    history.practise(ADA, score=8033, time_spent=90)
    history.practise(ADA, score=1000, time_spent=0)

    summary = summary_of(history)

    assert summary["self_reported"] == {
        "records": 3,
        "mean_score": 46.78,
        "best_score": 80.33,
        "last_score": 10.0,
        "completed": 2,
        "time_spent": 150,
    }
    assert summary["as_of"]["position"] == 4


def test_the_contracts_fields_keep_their_order() -> None:
    history = History()
    history.register(ADA)
    history.practise(ADA)

    summary = summary_of(history)

    assert " ".join(summary) == (
        "student_id as_of graded self_reported subjects last_7_days last_30_days streak last_activity"
    )
    assert " ".join(summary["graded"]) == "records mean_score best_score last_score time_spent"
    assert " ".join(summary["self_reported"]) == "records mean_score best_score last_score completed time_spent"
    assert " ".join(summary["subjects"][0]) == "subject graded self_reported topics"
    assert " ".join(summary["subjects"][0]["topics"][0]) == "topic graded self_reported last_activity"


def test_the_last_score_is_that_of_the_latest_practice_not_of_the_latest_report() -> None:
    history = History()
    history.practise(ADA, score=1000, at=NOON)
    history.practise(ADA, score=9000, at=NOON - timedelta(days=1), recorded_at=NOON)

    summary = summary_of(history)

    assert summary["self_reported"]["last_score"] == 10.0
    assert summary["last_activity"] == "2026-03-04T12:00:00.000000Z"


def test_of_two_practices_at_the_same_moment_the_later_report_is_the_last() -> None:
    history = History()
    history.practise(ADA, topic="decimals", score=9000)
    history.practise(ADA, topic="fractions", score=1000)
    history.practise(ADA, topic="angles", score=7000)

    assert summary_of(history)["self_reported"]["last_score"] == 70.0


def test_subjects_and_topics_come_in_alphabetical_order_each_with_its_own_figures() -> None:
    history = History()
    history.practise(ADA, subject="science", topic="plants", score=100)
    history.practise(ADA, subject="math", topic="fractions", score=200, at=NOON - timedelta(hours=1))
    history.practise(ADA, subject="math", topic="angles", score=300, at=NOON - timedelta(hours=2))
    history.practise(ADA, subject="math", topic="fractions", score=400, at=NOON - timedelta(hours=3))

    math, science = summary_of(history)["subjects"]

    assert (math["subject"], science["subject"]) == ("math", "science")
    assert [topic["topic"] for topic in math["topics"]] == ["angles", "fractions"]
    assert math["self_reported"]["mean_score"] == 3.0
    assert math["topics"][1]["self_reported"]["mean_score"] == 3.0
    assert math["topics"][1]["self_reported"]["last_score"] == 2.0
    assert math["topics"][0]["last_activity"] == "2026-03-04T10:00:00.000000Z"
    assert science["self_reported"]["records"] == 1


def test_the_same_topic_in_two_subjects_is_two_topics() -> None:
    history = History()
    history.practise(ADA, subject="art", topic="circles")
    history.practise(ADA, subject="math", topic="circles")

    topics = [subject["topics"] for subject in summary_of(history)["subjects"]]

    assert [len(own) for own in topics] == [1, 1]


def test_graded_and_self_reported_figures_never_mix() -> None:
    graded = Figures(2, 6000, 5000, 1000, NOON + timedelta(hours=1), 9, 0, 30)
    reported = Figures(1, 10000, 10000, 10000, NOON, 3, 1, 600)
    summary = Summary(9, NOON, "UTC")
    summary.topics = {("math", "fractions", "graded"): graded, ("math", "fractions", "self_reported"): reported}

    shown = json.loads(render(ADA, summary, TODAY))

    own = {"records": 2, "mean_score": 30.0, "best_score": 50.0, "last_score": 10.0, "time_spent": 30}
    for line in (shown, shown["subjects"][0], shown["subjects"][0]["topics"][0]):
        assert line["graded"] == own
        assert line["self_reported"]["mean_score"] == 100.0
    assert len(shown["subjects"][0]["topics"]) == 1
    assert shown["last_activity"] == "2026-03-04T13:00:00.000000Z"


def test_students_do_not_touch_each_other() -> None:
    history = History()
    history.register(ADA)
    history.practise(BEN, score=1)
    history.practise(ADA, score=9999)

    assert summary_of(history)["self_reported"]["records"] == 1
    assert summary_of(history, BEN)["self_reported"]["best_score"] == 0.01


def test_a_parent_has_no_summary() -> None:
    history = History()
    history.register(ADA, role="parent")

    assert summaries_of(history.seen) == {}


@pytest.mark.parametrize(("days_ago", "in_7", "in_30"), [(0, 1, 1), (6, 1, 1), (7, 0, 1), (29, 0, 1), (30, 0, 0)])
def test_the_last_days_include_today(days_ago: int, in_7: int, in_30: int) -> None:
    history = History()
    history.practise(ADA, time_spent=40, at=NOON - timedelta(days=days_ago), recorded_at=NOON)

    summary = summary_of(history)

    assert summary["last_7_days"] == {"records": in_7, "time_spent": 40 * in_7}
    assert summary["last_30_days"] == {"records": in_30, "time_spent": 40 * in_30}


def test_a_day_is_one_of_the_childs_zone() -> None:
    history = History()
    history.register(ADA, timezone="Asia/Kathmandu")
    history.practise(ADA, at=moment("2026-03-03T18:14:59Z"))  # 23:59:59 on the third
    history.practise(ADA, at=moment("2026-03-03T18:15:00Z"))  # 00:00 on the fourth

    assert summary_of(history)["streak"] == {"days": 2, "through": "2026-03-04"}
    assert summary_of(history, today=date(2026, 3, 10))["last_7_days"]["records"] == 1


def test_a_streak_goes_on_over_the_change_to_summer_time() -> None:
    history = History()
    history.register(ADA, timezone="Europe/Rome")
    for local in ("2026-03-28T23:55+01:00", "2026-03-29T23:55+02:00", "2026-03-30T00:05+02:00"):
        history.practise(ADA, at=moment(local))

    assert summary_of(history, today=date(2026, 3, 30))["streak"] == {"days": 3, "through": "2026-03-30"}


def test_a_streak_is_not_broken_before_the_day_is_over() -> None:
    history = History()
    history.practise(ADA, at=NOON)

    assert summary_of(history, today=TODAY + timedelta(days=1))["streak"] == {"days": 1, "through": "2026-03-04"}
    assert summary_of(history, today=TODAY + timedelta(days=2))["streak"] == {"days": 0, "through": None}


def test_the_same_sums_and_day_give_the_same_bytes_in_whatever_order_they_were_found() -> None:
    history = History()
    history.register(ADA)
    for subject in ("science", "math", "art"):
        history.practise(ADA, subject=subject)
    summary = summaries_of(history.seen)[ADA]
    turned = summaries_of(history.seen)[ADA]
    turned.topics = dict(reversed(turned.topics.items()))

    assert render(ADA, turned, TODAY) == render(ADA, summary, TODAY)
