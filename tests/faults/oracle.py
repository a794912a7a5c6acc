"""Oracle: what every read model must hold, worked out from the rows of the log alone and by nothing of ours.

It is slow and plain on purpose: every answer is made anew from the whole history before it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]

LOG = """
select position, part, stream, version, event_id, type, schema, subject, command_id, occurred_at,
    recorded_at, data::text as data
from events order by position
"""

SCHEMA = 1
"""Of all events that this release knows."""
HANDLED = {
    "user_profile": {"UserRegistered", "ProfileUpdated"},
    "progress_records": {"ProgressRecorded"},
    "progress_summary": {"UserRegistered", "ProfileUpdated", "ProgressRecorded"},
    "assessment_results": set(),
    "question_bank": {"QuestionPublished"},
}
"""Which events each projection folds."""


@dataclass(frozen=True)
class Report:
    """One practice report."""

    position: int
    event_id: str
    subject: str
    topic: str
    score: int
    time_spent: int
    completed: bool
    at: datetime
    recorded_at: datetime


@dataclass(frozen=True)
class Life:
    """Everything the log says of one student."""

    student: str
    zone: str
    registered: Row
    reports: Sequence[Report]

    def until(self, position: int) -> "Life":
        """Return what was known at a position."""
        return Life(self.student, self.zone, self.registered, [r for r in self.reports if r.position <= position])

    @property
    def last(self) -> tuple[int, datetime]:
        """Return position and time of the last event."""
        if self.reports:
            return self.reports[-1].position, self.reports[-1].recorded_at
        return self.registered["position"], self.registered["recorded_at"]


def poisoned(rows: Iterable[Row]) -> dict[str, int]:
    """Return whose events a projector cannot all fold, and the position of the first that it cannot."""
    return {str(row["subject"]): row["position"] for row in reversed(list(rows)) if row["schema"] != SCHEMA}


def parked(rows: Sequence[Row]) -> set[tuple[str, int]]:
    """Return by projection the positions that are set aside: a student's first impossible event and what follows."""
    first = poisoned(rows)
    return {
        (projection, row["position"])
        for row in rows
        if row["position"] >= first.get(str(row["subject"]), len(rows) + 1)
        for projection, handled in HANDLED.items()
        if row["type"] in handled
    }


def lives(rows: Sequence[Row]) -> dict[str, Life]:
    """Return the students of a log; of each, what comes before an event that cannot be folded."""
    registered: dict[str, Row] = {}
    reports: dict[str, list[Report]] = {}
    first_poison = poisoned(rows)
    for row in rows:
        student, data = str(row["subject"]), json.loads(row["data"])
        if row["position"] >= first_poison.get(student, len(rows) + 1):
            continue
        if row["type"] == "UserRegistered" and data["role"] == "student":
            registered[student] = row
        elif row["type"] == "ProgressRecorded":
            reports.setdefault(student, []).append(
                Report(
                    row["position"],
                    str(row["event_id"]),
                    data["subject"],
                    data["topic"],
                    data["score"],
                    data["time_spent"],
                    data["completed"],
                    row["occurred_at"],
                    row["recorded_at"],
                )
            )
    return {
        student: Life(student, json.loads(row["data"])["timezone"], row, reports.get(student, []))
        for student, row in registered.items()
    }


def summary(life: Life, today: date) -> dict[str, Any]:
    """Return the ProgressSummary of a life, as the contract has it."""
    zone = ZoneInfo(life.zone)
    days = [report.at.astimezone(zone).date() for report in life.reports]
    position, recorded_at = life.last

    def last_days(count: int) -> dict[str, int]:
        own = [r for r, day in zip(life.reports, days, strict=True) if today - timedelta(count) < day <= today]
        return {"records": len(own), "time_spent": sum(report.time_spent for report in own)}

    return {
        "student_id": life.student,
        "as_of": {"position": position, "recorded_at": moment(recorded_at), "date": str(today)},
        **_figures(life.reports),
        "subjects": [
            {
                "subject": subject,
                **_figures([r for r in life.reports if r.subject == subject]),
                "topics": [
                    {
                        "topic": topic,
                        **_figures(own := [r for r in life.reports if (r.subject, r.topic) == (subject, topic)]),
                        "last_activity": moment(max(r.at for r in own)),
                    }
                    for topic in sorted({r.topic for r in life.reports if r.subject == subject})
                ],
            }
            for subject in sorted({report.subject for report in life.reports})
        ],
        "last_7_days": last_days(7),
        "last_30_days": last_days(30),
        "streak": _streak(set(days), today),
        "last_activity": moment(max(report.at for report in life.reports)) if life.reports else None,
    }


def _figures(reports: Sequence[Report]) -> dict[str, Any]:
    nothing = {"records": 0, "mean_score": None, "best_score": None, "last_score": None, "time_spent": 0}
    if not reports:
        return {"graded": nothing, "self_reported": nothing | {"completed": 0}}
    scores = [Decimal(report.score) / 100 for report in reports]
    mean = (sum(scores, Decimal(0)) / len(scores)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    own = {
        "records": len(reports),
        "mean_score": float(mean),
        "best_score": float(max(scores)),
        "last_score": max(reports, key=lambda r: (r.at, r.position)).score / 100,
        "completed": len([report for report in reports if report.completed]),
        "time_spent": sum(report.time_spent for report in reports),
    }
    return {"graded": nothing, "self_reported": own}


def _streak(days: set[date], today: date) -> dict[str, Any]:
    day = through = today if today in days else today - timedelta(1)
    while day in days:
        day -= timedelta(1)
    return {"days": (through - day).days, "through": str(through) if through != day else None}


def moment(at: datetime) -> str:
    """Return a moment as the contract writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_models(everyone: Mapping[str, Life]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the read models of these students; for each table, in order of all its columns."""
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in READ_MODELS}
    for student, life in everyone.items():
        rows["students"].append((student, *life.last, life.zone))
        rows["profiles"].append((student, "student", life.zone, life.registered["recorded_at"]))
        rows["records"] += [
            (student, r.position, r.event_id, r.subject, r.topic, r.score, r.time_spent, r.completed, r.at)
            for r in life.reports
        ]
        for key in {(report.subject, report.topic) for report in life.reports}:
            own = [r for r in life.reports if (r.subject, r.topic) == key]
            last = max(own, key=lambda r: (r.at, r.position))
            sums = (sum(r.score for r in own), max(r.score for r in own), last.score, last.at, last.position)
            counts = (sum(r.completed for r in own), sum(r.time_spent for r in own))
            rows["topics"].append((student, *key, len(own), *sums, *counts))
        for slot in {_quarter(report.at) for report in life.reports}:
            own = [r for r in life.reports if _quarter(r.at) == slot]
            rows["activity"].append((student, slot, len(own), sum(r.time_spent for r in own)))
    return {name: sorted(found) for name, found in rows.items()}


READ_MODELS = {
    "students": "select student_id::text, position, recorded_at, timezone from read.progress_students",
    "profiles": "select user_id::text, role, timezone, created_at from read.user_profile where role = 'student'",
    "records": """
        select student_id::text, position, id::text, subject, topic, score, time_spent, completed, occurred_at
        from read.progress_records
    """,
    "topics": """
        select student_id::text, subject, topic, records, score_sum, best_score, last_score, last_at, last_position,
            completed, time_spent
        from read.progress_topics
    """,
    "activity": "select student_id::text, slot, records, time_spent from read.progress_activity",
}
"""The rows as readers see them, to be held against `read_models`."""


def _quarter(at: datetime) -> datetime:
    seconds = int(at.timestamp()) // 900 * 900
    return datetime.fromtimestamp(seconds, UTC)
