"""Cause: why something is recorded, and the receipt that the log gives for it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

OPERATOR = UUID("a5c00000-0000-5000-8000-000000000001")
"""The actor of what is done at the command line; docs/events.md lists the fixed ids."""
HOUSEKEEPER = UUID("a5c00000-0000-5000-8000-000000000002")
"""The actor of what is done by itself when its time has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Which command, sent by whom, when, and the bytes that tell a repeat from a reuse of its id."""

    command_id: UUID
    operation: str
    """Name of the command, as in OpenAPI's `operationId`."""
    actor: UUID
    occurred_at: datetime
    """Moment the request was taken in, timezone-aware UTC."""
    body: bytes
    """Canonical bytes of the request, for the fingerprint; never stored."""
    correlation_id: UUID
    causation_id: UUID
    on_behalf_of: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the log says of an accepted command: where its events stand, and since when."""

    command_id: UUID
    first: int
    last: int
    """Positions of its first and last event."""
    recorded_at: datetime
    repeated: bool
    """The log may hold an earlier try of this command: what it recorded is read from there."""


def event_id(command_id: UUID, ordinal: int) -> UUID:
    """Return the id of a command's event: uuid5 of the command's id and the event's ordinal in it, from 1."""
    return uuid5(command_id, str(ordinal))
