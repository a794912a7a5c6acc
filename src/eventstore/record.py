"""Record: one row of the log, its columns in their fixed order, and the bytes that its evidence leaf hashes."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

FORMAT = 1
PARTS = 64
"""Parts of the log, for ever: what of it may be handled side by side, because no person is in two of them."""
COLUMNS = (
    "format, position, part, stream, version, event_id, type, schema, subject, command_id, causation_id, "
    "correlation_id, actor, on_behalf_of, consent_id, traceparent, occurred_at, recorded_at, data, sealed, commitment"
)
"""The columns of `events`, as every reader selects them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NULL = b"\xff\xff\xff\xff"


class Record(NamedTuple):
    """An event as the log keeps it. `data` holds the clear fields, `sealed` the personal ones (or None)."""

    format: int
    position: int
    part: int
    stream: str
    version: int
    event_id: UUID
    type: str
    schema: int
    subject: UUID | None
    command_id: UUID
    causation_id: UUID
    correlation_id: UUID
    actor: UUID
    on_behalf_of: UUID | None
    consent_id: UUID | None
    traceparent: str | None
    occurred_at: datetime
    recorded_at: datetime
    data: str
    sealed: bytes | None
    commitment: bytes | None


@lru_cache(maxsize=50_000)
def part_of(subject: UUID | None, stream: str) -> int:
    """Return the part (0 to 63): the low 6 bits of the first byte of SHA-256 over the subject, else over the stream."""
    return sha256(subject.bytes if subject else stream.encode()).digest()[0] % PARTS


def record_bytes(record: Record) -> bytes:
    """Return the canonical bytes of a record: each column as int32 big-endian length (-1 for null) and bytes.

    Integers are 2, 4 or 8 bytes big-endian by column, UUIDs 16, text UTF-8, times int64 microseconds since 1970 UTC;
    `data` and `sealed` enter as the SHA-256 of their stored bytes. See docs/auditing.md.
    """
    return b"".join(
        (
            _field(record.format.to_bytes(2, "big")),
            _field(record.position.to_bytes(8, "big")),
            _field(record.part.to_bytes(2, "big")),
            _field(record.stream.encode()),
            _field(record.version.to_bytes(4, "big")),
            _field(record.event_id.bytes),
            _field(record.type.encode()),
            _field(record.schema.to_bytes(2, "big")),
            _uuid(record.subject),
            _field(record.command_id.bytes),
            _field(record.causation_id.bytes),
            _field(record.correlation_id.bytes),
            _field(record.actor.bytes),
            _uuid(record.on_behalf_of),
            _uuid(record.consent_id),
            _field(record.traceparent.encode()) if record.traceparent is not None else _NULL,
            _time(record.occurred_at),
            _time(record.recorded_at),
            _field(sha256(record.data.encode()).digest()),
            _field(sha256(record.sealed).digest()) if record.sealed is not None else _NULL,
            _field(record.commitment) if record.commitment is not None else _NULL,
        )
    )


def leaf(record: Record) -> bytes:
    """Return the record's leaf in the evidence tree: SHA-256(0x00 ‖ record) (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + record_bytes(record)).digest()


def _field(column: bytes) -> bytes:
    return len(column).to_bytes(4, "big") + column


def _uuid(value: UUID | None) -> bytes:
    return _NULL if value is None else _field(value.bytes)


def _time(moment: datetime) -> bytes:
    return _field(((moment - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True))
