"""Append: what one command asks the log to hold, and what the log answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class EventRow(NamedTuple):
    """The columns of an event that are known before it has a position."""

    part: int
    stream: str
    version: int
    """Exact version, or 0 for wherever the stream ends."""
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
    data: str
    sealed: bytes | None
    commitment: bytes | None


@dataclass(frozen=True, slots=True)
class Append:
    """One command's events and the conditions under which they may be appended."""

    command_id: UUID
    operation: str
    fingerprint: bytes
    fingerprint_key: int
    rows: Sequence[EventRow]
    heads: Sequence[tuple[str, int]]
    """Streams that must still be at a version: those written exactly, and the guards."""

    @property
    def size(self) -> int:
        """Bytes of payload, about."""
        return sum(len(row.data) + len(row.sealed or b"") for row in self.rows)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events are in the log at these positions."""

    first: int
    last: int
    recorded_at: datetime
    found: bool = False
    """Found in the log when a lost answer was asked for again: this command's events, perhaps of an earlier repeat."""


@dataclass(frozen=True, slots=True)
class Known:
    """This command id was accepted before; its events and fingerprint are these."""

    first: int
    last: int
    recorded_at: datetime
    fingerprint: bytes
    fingerprint_key: int


@dataclass(frozen=True, slots=True)
class Stale:
    """A stream that the decision relied on has moved; nothing was appended."""


Verdict = Accepted | Known | Stale
