"""Assessment results: one row for every assessment that was graded; what was answered is read from the log."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar
from uuid import UUID

import orjson

from domain.events import AssessmentSubmitted, UserErased
from eventstore.fence import Reads
from eventstore.record import Record
from projections.projection import Connection, Rows, Seen, forget

PAGE = 100
"""Results in one answer."""

Row = tuple[object, ...]
Changes = dict[UUID, list[Row] | None]
"""By student; None for whoever was erased."""


class AssessmentResults:
    """One row a graded assessment, at the position of its result."""

    name = "assessment_results"
    category = None
    tables = ("assessment_results",)
    handles: ClassVar[frozenset[str]] = frozenset({AssessmentSubmitted.TOPIC, UserErased.TOPIC})

    def fold(self, events: Iterable[Seen], onto: Changes | None = None) -> Changes:
        """Return a row for each result."""
        changes: Changes = {} if onto is None else onto
        for event, record in events:
            match event:
                case AssessmentSubmitted():
                    rows = changes.get(event.originator_id)
                    if rows is None:
                        rows = changes[event.originator_id] = []
                    rows.append(_row(event, record))
                case UserErased():
                    changes[event.originator_id] = None
                case _:
                    pass
        return changes

    def rows(self, changes: Changes) -> dict[str, list[Row]]:
        """Return the rows; of who was erased there are none."""
        return {"assessment_results": [row for rows in changes.values() if rows for row in rows]}

    async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
        """Insert the rows."""
        erased = [student for student, rows in changes.items() if rows is None]
        await forget(connection, self.tables, "student_id", generation, erased)
        if rows := self.rows(changes)["assessment_results"]:
            await connection.execute(_insert(generation), *zip(*rows, strict=True))

    def cache_key(self, person_id: UUID) -> str | None:
        """Return nothing: results are not cached."""

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return nothing."""


def _row(event: AssessmentSubmitted, record: Record) -> Row:
    return (
        event.originator_id,
        record.position,
        event.assessment_id,
        event.subject,
        event.topic,
        event.score,
        event.correct,
        event.total,
        event.time_spent,
        record.occurred_at,
        record.recorded_at,
    )


@cache
def _insert(generation: int) -> str:
    return _INSERT.format(generation=generation)


_INSERT = """
insert into read.assessment_results_g{generation}
select * from unnest(
    $1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[], $8::int[], $9::int[],
    $10::timestamptz[], $11::timestamptz[]
)
"""


class ListAssessments:
    """Answers with a student's results, the last first."""

    def __init__(self, rows: Reads) -> None:
        self._rows = rows

    async def __call__(self, student_id: UUID, before: int | None) -> bytes:
        """Return a page of results as JSON, those before a position; `next` is where the following page begins."""
        found = await self._rows.fetch(
            """
            select * from read.assessment_results
            where student_id = $1 and ($2::bigint is null or position < $2) order by position desc limit $3
            """,
            student_id,
            before,
            PAGE + 1,
        )
        items = [
            {
                "assessment_id": str(row["assessment_id"]),
                "subject": row["subject"],
                "topic": row["topic"],
                "score": row["score"] / 100 if row["score"] % 100 else row["score"] // 100,
                "correct": row["correct"],
                "total": row["total"],
                "time_spent": row["time_spent"],
                "created_at": row["created_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
            for row in found[:PAGE]
        ]
        following = f"{found[PAGE - 1]['position']:016x}" if len(found) > PAGE else None
        return orjson.dumps({"items": items, "next": following})
