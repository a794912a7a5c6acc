"""Poison: an event of a release to come, which no projector of this one can fold, put into a sound log."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.cause import event_id
from domain.errors import LogUnavailable
from eventstore.append import Append, EventRow, Stale
from eventstore.appender import Appender
from eventstore.codec import stream_of
from eventstore.record import part_of

SCHEMA = 99


async def poison(dsn: str, student: UUID) -> int:
    """Append such an event about a student, as the application would, and return its position."""
    append, appender = _append(student), Appender(dsn)
    await appender.start()
    try:
        while True:
            try:
                verdict = await appender.append(append)
            except LogUnavailable:
                continue
            assert not isinstance(verdict, Stale)
            return verdict.last
    finally:
        await appender.stop()


def _append(student: UUID) -> Append:
    command, stream = uuid4(), stream_of("practice", student)
    row = EventRow(
        part=part_of(student, stream),
        stream=stream,
        version=0,
        event_id=event_id(command, 1),
        type="ProgressRecorded",
        schema=SCHEMA,
        subject=student,
        command_id=command,
        causation_id=command,
        correlation_id=command,
        actor=student,
        on_behalf_of=None,
        consent_id=None,
        traceparent=None,
        occurred_at=datetime.now(UTC),
        data='{"what": "nobody knows yet"}',
        sealed=None,
        commitment=None,
    )
    return Append(command, "Poison", b"poison", 1, [row], [])
