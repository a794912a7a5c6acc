"""Reads: who read what of whose data, and the hash that shows whether what was recorded of it is still the same."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

READS = UUID("a5c00000-0000-5000-8000-000000000101")
"""Id of the stream that holds the hashes of the read ledger."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Read(NamedTuple):
    """One row of the read ledger; ids are 1, 2, 3 and so on."""

    id: int
    at: datetime
    actor: UUID
    role: str
    """In what capacity, as `guardian`."""
    student: UUID
    what: str
    """Name of the operation, as in OpenAPI's `operationId`."""
    why: str
    """What allowed it, as `guardianship`."""


def read_bytes(read: Read) -> bytes:
    """Return the canonical bytes of a row: each column as int32 big-endian length and bytes; see docs/auditing.md."""
    columns = (
        read.id.to_bytes(8, "big", signed=True),
        ((read.at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True),
        read.actor.bytes,
        read.role.encode(),
        read.student.bytes,
        read.what.encode(),
        read.why.encode(),
    )
    return b"".join(len(column).to_bytes(4, "big") + column for column in columns)


class Chain:
    """SHA-256 over the hash before and the canonical bytes of the rows behind it, in the order of their ids."""

    BEGINNING = bytes(32)
    """The hash before the first row."""

    def __init__(self, previous: bytes) -> None:
        self._hash = sha256(previous)
        self.count = 0
        self.upto = 0
        """Id of the last row taken in."""

    def take(self, reads: Iterable[Read]) -> None:
        """Take the next rows in."""
        for read in reads:
            self._hash.update(read_bytes(read))
            self.count += 1
            self.upto = read.id

    def digest(self) -> bytes:
        """Return the hash of what was taken in."""
        return self._hash.digest()
