"""People: users as the tests of the domain know them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.consent import POLICY, SIGNED_IN_GUARDIAN
from domain.events import ConsentGranted, Role
from domain.profile import Profile
from domain.user import User

NOW = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)


def a_profile(grade_level: int | None = 3, timezone: str = "Europe/Rome") -> Profile:
    return Profile(name="Ada", grade_level=grade_level, learning_preferences=("pictures",), timezone=timezone)


def a_user(role: Role, user_id: UUID | None = None) -> User:
    """Return someone whose registration is in the log already."""
    user = User.register(user_id or uuid4(), role, "ada@example.org", a_profile(), NOW)
    user.collect_events()
    return user


def allow_learning(student: User, at: datetime = NOW, *, consent_id: UUID | None = None) -> None:
    """Let some guardian have consented that the student's practice is recorded."""
    student.trigger_event(
        ConsentGranted,
        consent_id=consent_id or uuid4(),
        guardian_id=uuid4(),
        policy_version=POLICY,
        scopes=("learning",),
        country="IT",
        method=SIGNED_IN_GUARDIAN,
        timestamp=at,
    )
