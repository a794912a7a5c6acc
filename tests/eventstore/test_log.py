"""The log as commands see it: decided once, on true state, exactly once per command id."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from commands.ports import History
from commands.record_progress import RecordProgress, record_progress
from domain.cause import Cause, Receipt
from domain.errors import IdempotencyKeyReused, UserUnknown
from domain.events import GuardianAdded, ProgressRecorded, UserRegistered
from domain.profile import Profile
from domain.user import User
from tests.domain.people import REGISTERED, allow_learning
from tests.eventstore.conftest import Store, a_cause


async def register(store: Store, role: str = "student", *, allowed: bool = True) -> UUID:
    """Register someone; a student with a guardian's consent in the same append, unless it is not `allowed`."""
    user_id = uuid4()
    await store.keys.create(user_id)

    async def decide(history: History) -> None:
        profile = Profile(name="Ada", grade_level=3, learning_preferences=("pictures",), timezone="Europe/Rome")
        user = User.register(user_id, role, "ada@example.org", profile, datetime.now(UTC))  # type: ignore[arg-type]
        if role == "student" and allowed:
            allow_learning(user, datetime.now(UTC))
        history.save(user)

    await store.log.execute(a_cause(user_id), decide)
    return user_id


async def practise(store: Store, student: UUID, cause: Cause | None = None, score: int = 5000) -> Receipt:
    return await record_progress(
        store.log,
        RecordProgress(
            cause=cause or a_cause(student),
            student_id=student,
            subject="math",
            topic="fractions",
            score=score,
            time_spent=60,
            completed=True,
        ),
    )


async def test_many_commands_at_once_get_dense_positions_and_versions(store: Store) -> None:
    students = [await register(store) for _ in range(3)]

    receipts = await asyncio.gather(*(practise(store, students[n % 3]) for n in range(300)))

    records = await store.reader.read(0)
    before = 3 * REGISTERED
    assert [record.position for record in records] == list(range(1, before + 301))
    assert sorted(receipt.first for receipt in receipts) == list(range(before + 1, before + 301))
    for student in students:
        versions = [r.version for r in records if r.stream == f"practice-{student}"]
        assert versions == list(range(1, 101))


async def test_a_repeated_command_appends_nothing_and_gets_the_first_receipt(store: Store) -> None:
    student = await register(store)
    cause = a_cause(student)

    first = await practise(store, student, cause)
    second = await practise(store, student, cause)

    assert second.repeated
    assert (second.first, second.last, second.recorded_at) == (first.first, first.last, first.recorded_at)
    assert await store.reader.head() == REGISTERED + 1


async def test_two_repeats_in_one_batch_append_once(store: Store) -> None:
    student = await register(store)
    cause = a_cause(student)

    receipts = await asyncio.gather(*(practise(store, student, cause) for _ in range(10)))

    assert {receipt.first for receipt in receipts} == {REGISTERED + 1}
    assert sum(not receipt.repeated for receipt in receipts) == 1


async def test_the_same_id_with_another_body_is_refused_alone(store: Store) -> None:
    student = await register(store)
    command_id = uuid4()
    await practise(store, student, a_cause(student, command_id=command_id, body=b"one"))

    results = await asyncio.gather(
        practise(store, student, a_cause(student, command_id=command_id, body=b"two")),
        practise(store, student),
        return_exceptions=True,
    )

    assert isinstance(results[0], IdempotencyKeyReused)
    assert isinstance(results[1], Receipt)


async def test_practice_of_an_unknown_student_is_refused(store: Store) -> None:
    with pytest.raises(UserUnknown):
        await practise(store, uuid4())

    assert await store.reader.head() == 0


async def test_a_moved_guard_makes_the_command_decide_again(store: Store) -> None:
    student = await register(store)
    seen: list[int] = []

    async def decide(history: History) -> None:
        user = await history.rely_on(User, student)
        assert user
        seen.append(user.version)
        if len(seen) == 1:
            await guard_child(store, student)
        history.record(
            ProgressRecorded(
                originator_id=student,
                originator_version=0,
                timestamp=datetime.now(UTC),
                subject="math",
                topic="t",
                score=1,
                time_spent=1,
                completed=False,
            )
        )

    await store.log.execute(a_cause(student), decide)

    assert seen == [REGISTERED, REGISTERED + 1]


async def guard_child(store: Store, student: UUID) -> None:
    async def decide(history: History) -> None:
        history.record(
            GuardianAdded(originator_id=student, originator_version=0, timestamp=datetime.now(UTC), guardian_id=uuid4())
        )

    await store.log.execute(a_cause(), decide)


async def test_personal_fields_rest_sealed_and_open_with_the_persons_key(store: Store) -> None:
    student = await register(store, allowed=False)

    [record] = await store.reader.read(0)

    assert "Ada" not in record.data
    assert record.sealed
    assert b"Ada" not in record.sealed
    assert isinstance((await store.log.aggregates.get(User, student))[0], User)
    assert record.type == UserRegistered.TOPIC
