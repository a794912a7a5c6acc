"""Subscription: how events reach a projector, whatever carries them; here by tailing the log itself.

A delivery may repeat, overlap or leave a hole: `prev` says which position of a part went out before, so that a
projector can drop what it has seen and fetch what it missed. Nothing is lost if a delivery is never acknowledged.
"""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from eventstore.reader import LogReader, Wakeups
from eventstore.record import Record

BATCH = 1000
"""Events of one delivery at most."""
HEARTBEAT = 1.0
"""Seconds after which parts without events hear how far the log was read."""


class Slice(NamedTuple):
    """The events of one part in a delivery, in order, behind `prev`."""

    part: int
    prev: int
    records: list[Record]


class Delivery(NamedTuple):
    """Slices of some parts; everything of these parts up to `position` was delivered with it or before."""

    slices: list[Slice]
    position: int
    event_id: UUID
    """Id of the log's event at `position`."""


class Subscription(Protocol):
    """A stream of deliveries that goes on from where the projector's cursors stand."""

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield deliveries for ever; the one before counts as handled when the next is asked for."""


class TailingSubscription:
    """Reads the log itself, in position order: the subscription of a machine without a broker."""

    def __init__(self, reader: LogReader, cursors: Mapping[int, int], wakeups: Wakeups | None = None) -> None:
        """Take the position each part has reached."""
        self._reader = reader
        self._wakeups = wakeups
        self._sent = dict(cursors)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield what the log holds after the cursors, then what is appended, with heartbeats."""
        beat = time.monotonic()
        follow = self._reader.follow(min(self._sent.values()), self._wakeups, limit=BATCH, idle=HEARTBEAT)
        last: Record | None = None
        async for records in follow:
            if records:
                last = records[-1]
                yield self._delivery(records)
            if last and time.monotonic() - beat >= HEARTBEAT:
                beat = time.monotonic()
                behind = [Slice(part, sent, []) for part, sent in self._sent.items() if sent < last.position]
                if behind:
                    yield Delivery(behind, last.position, last.event_id)
                    self._sent = dict.fromkeys(self._sent, last.position)

    def _delivery(self, records: list[Record]) -> Delivery:
        by_part: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_part[record.part].append(record)
        last = records[-1]
        slices = [Slice(part, self._sent[part], own) for part, own in by_part.items() if part in self._sent]
        self._sent.update(dict.fromkeys((s.part for s in slices), last.position))
        return Delivery(slices, last.position, last.event_id)
