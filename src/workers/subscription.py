"""Subscription: how events reach a projector, whatever carries them; here by tailing the log itself.

A delivery may repeat, overlap or leave a hole: `prev` says which position of a part went out before, so that a
projector can drop what it has seen and fetch what it missed. Nothing is lost if a delivery is never acknowledged.
"""

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from eventstore.reader import LogReader, Wakeups
from eventstore.record import Record

BATCH = 1000
"""Events of one delivery at most."""
HEARTBEAT = 1.0
"""Seconds after which parts without events hear how far the log was read, and an idle projector hears anything."""


class Slice(NamedTuple):
    """All events of one part after `prev` and up to `position`, in order; perhaps none."""

    part: int
    prev: int
    records: list[Record]
    position: int
    event_id: UUID
    """Id of the log's event at `position`, whichever part that belongs to."""


class Delivery(NamedTuple):
    """Slices of some parts, perhaps of none; those of one part in the order in which they were sent."""

    slices: list[Slice]

    @property
    def position(self) -> int:
        """Return the furthest position that a slice reaches, 0 without any."""
        return max((part.position for part in self.slices), default=0)


class Subscription(Protocol):
    """A stream of deliveries that goes on from where the projector's cursors stand."""

    def deliveries(self) -> AsyncGenerator[Delivery]:
        """Yield deliveries for ever, at least one a second; the one before is handled when the next is asked for."""


class TailingSubscription:
    """Reads the log itself, in position order: the subscription of a machine without a broker."""

    def __init__(
        self,
        reader: LogReader,
        cursors: Mapping[int, int],
        wakeups: Wakeups | None = None,
        *,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        """Take the position each part has reached."""
        self._reader = reader
        self._wakeups = wakeups
        self._heartbeat = heartbeat
        self._sent = dict(cursors)
        self._read, self._read_id = min(self._sent.values()), UUID(int=0)

    async def deliveries(self) -> AsyncGenerator[Delivery]:
        """Yield what the log holds after the cursors, then what is appended, with heartbeats."""
        beat = time.monotonic()
        async for records in self._reader.follow(self._read, self._wakeups, limit=BATCH, idle=self._heartbeat):
            if records:
                self._read, self._read_id = records[-1].position, records[-1].event_id
                yield self._deliver(records)
            if not records or time.monotonic() - beat >= self._heartbeat:
                yield self._tell_the_silent()
                beat = time.monotonic()

    def _deliver(self, records: list[Record]) -> Delivery:
        by_part: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            if record.position > self._sent.get(record.part, record.position):
                by_part[record.part].append(record)
        return self._send(by_part)

    def _tell_the_silent(self) -> Delivery:
        return self._send({part: [] for part, sent in self._sent.items() if sent < self._read})

    def _send(self, by_part: Mapping[int, list[Record]]) -> Delivery:
        slices = [Slice(part, self._sent[part], own, self._read, self._read_id) for part, own in by_part.items()]
        self._sent.update(dict.fromkeys(by_part, self._read))
        return Delivery(slices)
