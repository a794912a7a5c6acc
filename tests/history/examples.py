"""Examples: one event of each type, as complete as it gets."""

from datetime import UTC, datetime
from uuid import UUID

from domain.events import ChildLinked, Event, GuardianAdded, ProgressRecorded, UserRegistered

STUDENT = UUID("0190a1b2-0000-4000-8000-000000000001")
PARENT = UUID("0190a1b2-0000-4000-8000-000000000002")
WHEN = datetime(2026, 3, 1, 15, 30, 0, 123_456, tzinfo=UTC)

EXAMPLES: dict[str, Event] = {
    "UserRegistered": UserRegistered(
        originator_id=STUDENT,
        originator_version=1,
        timestamp=WHEN,
        role="student",
        grade_level=3,
        timezone="Europe/Rome",
        email="zoë@example.org",
        name='Zoë "Zo" Müller\\Ó Hara 😀',
        learning_preferences=("pictures", "große Schrift"),
    ),
    "GuardianAdded": GuardianAdded(originator_id=STUDENT, originator_version=2, timestamp=WHEN, guardian_id=PARENT),
    "ChildLinked": ChildLinked(originator_id=PARENT, originator_version=2, timestamp=WHEN, child_id=STUDENT),
    "ProgressRecorded": ProgressRecorded(
        originator_id=STUDENT,
        originator_version=7,
        timestamp=WHEN,
        subject="math",
        topic="fractions & décimales",
        score=8_725,
        time_spent=640,
        completed=True,
    ),
}
