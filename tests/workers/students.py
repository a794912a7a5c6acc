"""Students: people of the log who register and report practice, in the zone and part a test asks for."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from commands.erase_user import EraseUser, erase_user
from commands.ports import History
from commands.record_progress import RecordProgress, record_progress
from domain.cause import OPERATOR, Cause, Receipt
from domain.profile import Profile
from domain.user import User
from eventstore.record import part_of
from tests.domain.people import allow_learning
from tests.eventstore.conftest import Store, a_cause


async def register(store: Store, user_id: UUID | None = None, *, timezone: str = "UTC") -> UUID:
    """Register a student and return their id."""
    user = user_id or uuid4()
    profile = Profile(name="Ada", grade_level=3, learning_preferences=(), timezone=timezone)

    async def decide(history: History) -> None:
        student = User.register(user, "student", "ada@example.org", profile, datetime.now(UTC))
        allow_learning(student, datetime.now(UTC))
        history.save(student)

    await store.keys.create(user)
    await store.log.execute(a_cause(user), decide)
    return user


async def practise(
    store: Store,
    student: UUID,
    *,
    score: int = 5000,
    topic: str = "fractions",
    occurred_at: datetime | None = None,
    cause: Cause | None = None,
) -> Receipt:
    """Report practice."""
    command = RecordProgress(
        cause=cause or a_cause(student),
        student_id=student,
        subject="math",
        topic=topic,
        score=score,
        time_spent=60,
        completed=True,
        occurred_at=occurred_at,
    )
    return await record_progress(store.log, command)


async def live(store: Store, people: int = 5, reports: int = 6) -> list[UUID]:
    """Let students register and report, several at the same time."""
    students = [await register(store) for _ in range(people)]
    for n in range(reports):
        await asyncio.gather(*(practise(store, student, score=n, topic=f"topic {n % 2}") for student in students))
    return students


def part(student: UUID) -> int:
    """Return the part of a student's events."""
    return part_of(student, "")


def someone_of(wanted: int) -> UUID:
    """Return an id whose events are of this part."""
    while part(user := uuid4()) != wanted:
        pass
    return user


def someone_not_of(unwanted: int) -> UUID:
    """Return an id whose events are of another part."""
    return someone_of((unwanted + 1) % 64)


async def erase(store: Store, user_id: UUID, *, actor: UUID = OPERATOR) -> Receipt:
    """Let someone be forgotten."""
    return await erase_user(store.log, EraseUser(cause=a_cause(actor), user_id=user_id))
