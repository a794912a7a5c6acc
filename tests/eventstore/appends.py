"""Appends written by hand, to test the log below the domain."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.cause import event_id
from eventstore.append import Append, EventRow, Verdict
from eventstore.appender import Appender
from eventstore.record import part_of

END = 0
"""The version that means: wherever the stream ends."""
WHEN = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)


def a_row(stream: str, version: int, command_id: UUID, ordinal: int, data: str = "{}") -> EventRow:
    return EventRow(
        part=part_of(None, stream),
        stream=stream,
        version=version,
        event_id=event_id(command_id, ordinal),
        type="Tested",
        schema=1,
        subject=None,
        command_id=command_id,
        causation_id=command_id,
        correlation_id=command_id,
        actor=command_id,
        on_behalf_of=None,
        consent_id=None,
        traceparent=None,
        occurred_at=WHEN,
        data=data,
        sealed=None,
        commitment=None,
    )


def an_append(
    *writes: tuple[str, int],
    guards: Sequence[tuple[str, int]] = (),
    command_id: UUID | None = None,
    fingerprint: bytes = b"same body",
    data: str = "{}",
) -> Append:
    """Make a command that writes to these streams, each at a version or at its `END`."""
    this_id = command_id or uuid4()
    heads = dict(guards)
    for stream, version in writes:
        if version != END:
            heads.setdefault(stream, version - 1)
    rows = [a_row(stream, version, this_id, n, data) for n, (stream, version) in enumerate(writes, start=1)]
    return Append(this_id, "Test", fingerprint, 1, rows, list(heads.items()))


async def together(appender: Appender, *appends: Append) -> list[Verdict]:
    """Append these as one batch: all are in the queue before the appender wakes."""
    return await asyncio.gather(*(appender.append(append) for append in appends))
