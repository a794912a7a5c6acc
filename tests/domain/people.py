"""People: users as the tests of the domain know them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.consent import POLICY, SIGNED_IN_GUARDIAN
from domain.events import ConsentGranted, Role, Scope
from domain.profile import Profile
from domain.user import User

NOW = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)
REGISTERED = 2
"""Positions that a student takes who is registered together with a guardian's consent."""


def a_profile(grade_level: int | None = 3, timezone: str = "Europe/Rome") -> Profile:
    return Profile(name="Ada", grade_level=grade_level, learning_preferences=("pictures",), timezone=timezone)


def a_user(role: Role, user_id: UUID | None = None) -> User:
    """Return someone whose registration is in the log already."""
    user = User.register(user_id or uuid4(), role, "ada@example.org", a_profile(), NOW)
    user.collect_events()
    return user


def allow(student: User, *scopes: Scope, at: datetime = NOW, policy_version: str = POLICY) -> UUID:
    """Let some guardian have consented to these purposes; return the consent's id."""
    consent_id = uuid4()
    student.trigger_event(
        ConsentGranted,
        consent_id=consent_id,
        guardian_id=uuid4(),
        policy_version=policy_version,
        scopes=scopes,
        country="IT",
        method=SIGNED_IN_GUARDIAN,
        timestamp=at,
    )
    return consent_id


def allow_learning(student: User, at: datetime = NOW) -> UUID:
    """Let some guardian have consented that the student's practice is recorded; return the consent's id."""
    return allow(student, "learning", at=at)


def a_student(user_id: UUID | None = None) -> User:
    """Return a student who may practise: registered, and with a guardian's consent."""
    student = a_user("student", user_id)
    allow_learning(student)
    student.collect_events()
    return student
