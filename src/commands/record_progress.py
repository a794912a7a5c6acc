"""RecordProgress: a student reports practice; it is kept with its source and never mixed with graded scores."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from commands.ports import History, Log
from domain.cause import Cause, Receipt
from domain.practice import record_practice
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProgress:
    """What was practised: `score` in hundredths of a point (0 to 10,000), `time_spent` in whole seconds."""

    cause: Cause
    student_id: UUID
    subject: str
    topic: str
    score: int
    time_spent: int
    completed: bool
    occurred_at: datetime | None = None
    """When it happened, if not just now."""


async def record_progress(log: Log, command: RecordProgress) -> Receipt:
    """Append one `ProgressRecorded`; refused without a guardian's consent and out of time; a repeat adds nothing.

    The practice history is not loaded and reports never conflict: only the student's account, consents included, must
    not have moved.
    """

    async def decide(history: History) -> None:
        report, consent_id = record_practice(
            await history.rely_on(User, command.student_id),
            student_id=command.student_id,
            subject=command.subject,
            topic=command.topic,
            score=command.score,
            time_spent=command.time_spent,
            completed=command.completed,
            occurred_at=command.occurred_at or command.cause.occurred_at,
            received_at=command.cause.occurred_at,
        )
        history.record(report, under=consent_id)

    return await log.execute(command.cause, decide)
