"""Log: one process's event store on a fresh database, with students who practise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

from benchmarks.machine import key_set
from commands.ports import History
from commands.record_progress import RecordProgress, record_progress
from domain.cause import Cause
from domain.consent import POLICY, SIGNED_IN_GUARDIAN
from domain.events import ConsentGranted, ProgressRecorded
from domain.profile import Profile
from domain.user import User
from eventstore.appender import Appender
from eventstore.connections import APP, KEYS, create_pool
from eventstore.fingerprints import Fingerprints
from eventstore.keys import KeyStore, MasterKeys
from eventstore.log import EventLog
from eventstore.reader import LogReader


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The event store, wired as `adapters.wiring` wires it for the API."""

    dsn: str
    pool: asyncpg.Pool
    reader: LogReader
    keys: KeyStore
    log: EventLog


@asynccontextmanager
async def open_log(dsn: str) -> AsyncIterator[OpenLog]:
    """Open the store and close it again."""
    pool, key_pool = await create_pool(dsn, APP, size=10), await create_pool(dsn, KEYS, size=2)
    reader, appender = LogReader(pool), Appender(dsn)
    await appender.start()
    masters, fingerprints = key_set(), key_set()
    keys = KeyStore(key_pool, MasterKeys(lambda: masters))
    try:
        yield OpenLog(dsn, pool, reader, keys, EventLog(reader, appender, keys, Fingerprints(fingerprints)))
    finally:
        await appender.stop()
        await key_pool.close()
        await pool.close()


async def register_student(store: OpenLog) -> UUID:
    """Register an invented student, with the consent of an invented guardian."""
    student = uuid4()
    await store.keys.create(student)

    async def decide(history: History) -> None:
        profile = Profile(name="Someone", grade_level=3, learning_preferences=(), timezone="UTC")
        at = datetime.now(UTC)
        user = User.register(student, "student", f"{student}@example.org", profile, at)
        user.trigger_event(
            ConsentGranted,
            consent_id=uuid4(),
            guardian_id=uuid4(),
            policy_version=POLICY,
            scopes=("learning",),
            country="IT",
            method=SIGNED_IN_GUARDIAN,
            timestamp=at,
        )
        history.save(user)

    await store.log.execute(a_cause(student, "RegisterUser", b"{}"), decide)
    return student


async def practise(
    store: OpenLog, student: UUID, topic: str = "fractions", score: int = 5000, occurred_at: datetime | None = None
) -> None:
    """Send one RecordProgress command with everything the API would give it; it occurs now unless said otherwise."""
    await record_progress(
        store.log,
        RecordProgress(
            cause=a_cause(student, "RecordProgress", _BODY),
            student_id=student,
            subject="math",
            topic=topic,
            score=score,
            time_spent=60,
            completed=True,
            occurred_at=occurred_at or datetime.now(UTC),
        ),
    )


async def practise_much(store: OpenLog, student: UUID, events: int) -> None:
    """Send one command of several events, under the guard of the student's account."""
    cause = a_cause(student, "RecordProgress", _BODY)

    async def decide(history: History) -> None:
        user = await history.rely_on(User, student)
        assert user
        consent_id = user.consent_for("learning")
        for _ in range(events):
            history.record(_practice(student, cause.occurred_at), under=consent_id)

    await store.log.execute(cause, decide)


def a_cause(actor: UUID, operation: str, body: bytes) -> Cause:
    """Return the cause of a new command."""
    command_id = uuid4()
    return Cause(
        command_id=command_id,
        operation=operation,
        actor=actor,
        occurred_at=datetime.now(UTC),
        body=body,
        correlation_id=command_id,
        causation_id=command_id,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def _practice(student: UUID, at: datetime) -> ProgressRecorded:
    return ProgressRecorded(
        originator_id=student,
        originator_version=0,
        timestamp=at,
        subject="math",
        topic="fractions",
        score=5000,
        time_spent=60,
        completed=True,
    )


_BODY = (
    b'{"student_id":"00000000-0000-0000-0000-000000000000","subject":"math","topic":"fractions","score":50,'
    b'"time_spent":60,"completed":true}'
)
