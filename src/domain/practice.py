"""Practice: what a student says they practised, checked and made a fact; nothing is loaded to decide it."""

from datetime import datetime, timedelta
from uuid import UUID

from domain.errors import InvalidValue, NotAllowed, UserUnknown
from domain.events import ProgressRecorded
from domain.user import User

OLDEST = timedelta(days=30)
"""A report may be this late, so that a device that was offline loses nothing."""
AHEAD = timedelta(minutes=5)
"""A device's clock may run this far ahead."""


def record_practice(
    student: User | None,
    *,
    student_id: UUID,
    subject: str,
    topic: str,
    score: int,
    time_spent: int,
    completed: bool,
    occurred_at: datetime,
    received_at: datetime,
) -> tuple[ProgressRecorded, UUID]:
    """Make the fact of a practice report (`score` in hundredths, `time_spent` in seconds); and under which consent.

    Raises `UserUnknown` without an account, `NotAllowed` for anyone but a student, `ConsentRequired` while no guardian
    allows it, `InvalidValue` for a moment more than 30 days old or 5 minutes ahead.
    """
    if student is None:
        raise UserUnknown
    if student.role != "student":
        raise NotAllowed
    consent_id = student.consent_for("learning")
    if not received_at - OLDEST <= occurred_at <= received_at + AHEAD:
        raise InvalidValue(field="occurred_at", reason="at most 30 days old and 5 minutes ahead")
    report = ProgressRecorded(
        originator_id=student_id,
        originator_version=0,
        timestamp=occurred_at,
        subject=subject,
        topic=topic,
        score=score,
        time_spent=time_spent,
        completed=completed,
    )
    return report, consent_id
