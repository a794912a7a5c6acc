"""Progress: a student reports practice, and the summary of all of it is read by them and those who may follow."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.models import Id, Label, Model, Moment, Score, shown_as, to_hundredths, to_points
from api.query import Day, Instant, Position, Query
from api.route import Route
from api.security import Followed, Following, SignedIn, Viewer
from api.shapes import ProgressSummary
from commands.record_progress import RecordProgress
from commands.record_progress import record_progress as handle
from domain.access import Rule, may_record_progress
from domain.cause import Receipt, event_id
from domain.errors import NotAllowed
from projections.get_progress_summary import AsOf
from projections.progress_summary import cache_key


class ProgressReport(Model):
    """What was practised: points with at most two decimals, whole seconds, and when, if not just now."""

    model_config = shown_as(
        {
            "student_id": "0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d",
            "subject": "Mathematics",
            "topic": "Adding fractions",
            "score": 87.5,
            "time_spent": 300,
            "completed": True,
        }
    )

    student_id: Annotated[Id, Field(description="The signed-in student's own id.")]
    subject: Annotated[Label, Field(max_length=64)]
    topic: Annotated[Label, Field(max_length=128)]
    score: Score
    time_spent: Annotated[int, Field(ge=0, le=86_400, description="Seconds.")]
    completed: bool
    occurred_at: Annotated[
        Moment | None, Field(description="At most 30 days old and 5 minutes ahead; without it, now.")
    ] = None


class ProgressRecord(BaseModel):
    """A report as the log holds it."""

    id: UUID
    student_id: UUID
    subject: str
    topic: str
    score: float
    time_spent: int
    completed: bool
    source: Literal["self_reported"] = "self_reported"
    occurred_at: datetime
    created_at: datetime


class SummaryQuery(Model):
    """Which summary: today's, today's holding at least the events up to a position, or one of the past."""

    min_position: Position | None = None
    as_of: Instant | None = None
    date: Day | None = None


async def record_progress(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    report: Annotated[Received[ProgressReport], Depends(Body(ProgressReport))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Record practice that a student reports; it never raises mastery and is never added to graded figures.

    Refused with `consent-required` unless a guardian's consent to `learning` holds.
    """
    content = report.content
    if not may_record_progress(viewer.user_id, content.student_id):
        raise NotAllowed
    command_id = attempt.command_id("RecordProgress", str(viewer.user_id))
    command = RecordProgress(
        cause=attempt.cause("RecordProgress", command_id, viewer.user_id, report.canonical),
        student_id=content.student_id,
        subject=content.subject,
        topic=content.topic,
        score=to_hundredths(content.score),
        time_spent=content.time_spent,
        completed=content.completed,
        occurred_at=content.occurred_at,
    )
    receipt = await handle(backend.log, command)
    record = ProgressRecord(
        id=event_id(command_id, 1),
        student_id=command.student_id,
        subject=command.subject,
        topic=command.topic,
        score=to_points(command.score),
        time_spent=command.time_spent,
        completed=command.completed,
        occurred_at=await _occurred_at(backend, command, receipt),
        created_at=receipt.recorded_at,
    )
    return json_answer(record.__pydantic_serializer__.to_json(record), status=201, position=receipt.last)


async def _occurred_at(backend: Backend, command: RecordProgress, receipt: Receipt) -> datetime:
    """Return when the practice happened; a repeat that named no moment happened when the first try came in."""
    if command.occurred_at or not receipt.repeated:
        return command.occurred_at or command.cause.occurred_at
    (record,) = await backend.reader.read(receipt.first - 1, limit=1)
    return record.occurred_at


async def get_progress_summary(
    followed: Annotated[Followed, Depends(Following("student_id", cached_as=cache_key))],
    asked: Annotated[SummaryQuery, Depends(Query(SummaryQuery))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Read how a student is doing, today or at any moment of the past.

    `min_position` waits up to two seconds for that position of the log and else says in `Stale-By` how many events are
    missing. `as_of` names a position or a moment, `date` the day for which today's figures are made.
    """
    if followed.value is not None:
        return json_answer(followed.value)
    student_id, now = followed.about, datetime.now(UTC)
    summaries = backend.seen_by(followed.viewer.user_id).get_progress_summary
    if asked.as_of is not None or asked.date is not None:
        answer = await summaries.past(student_id, _moment_of(asked))
    elif asked.min_position is not None:
        answer = await summaries.at_least(student_id, now, asked.min_position)
    else:
        answer = await summaries.now(student_id, now)
    return json_answer(answer.body, stale_by=answer.stale_by)


def _moment_of(asked: SummaryQuery) -> AsOf:
    match asked.as_of:
        case int(position):
            return AsOf(position=position, day=asked.date)
        case moment:
            return AsOf(time=moment, day=asked.date)


ROUTES = (
    Route(
        "/progress/{student_id}",
        get_progress_summary,
        method="GET",
        operation="GetProgressSummary",
        access=Rule.FOLLOWER,
        headers=["Stale-By"],
        response_model=ProgressSummary,
        tags=["Progress"],
    ),
    Route(
        "/progress",
        record_progress,
        method="POST",
        operation="RecordProgress",
        access=Rule.STUDENT,
        headers=["Event-Position"],
        status_code=201,
        response_model=ProgressRecord,
        tags=["Progress"],
    ),
)
