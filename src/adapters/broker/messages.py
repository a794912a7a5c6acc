"""Messages: what travels through the exchange, a batch of one part's events or a heartbeat, written and read.

A batch says behind which position of its part it goes on (`prev`), so that a reader sees a loss although its part is
sparse. A heartbeat says how far each part has been sent, so that a reader sees the loss of a last message as well.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractMessage

from adapters.broker.envelope import CONTENT_TYPE, decode_batch
from adapters.broker.outbox import EncodedBatch
from eventstore.record import PARTS, Record

APP = "afterschool"
EVENTS, BEAT = "events", "heartbeat"
"""What a message is, in its property `type`."""
SCHEMA = 1
BEAT_LIVES = 10
"""Seconds after which a heartbeat that nobody received is worth nothing."""


class Unreadable(Exception):
    """This is no message of the relay's; nothing of it is repeated here."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one part, in order: all that the part holds after `prev` and up to the last of them."""

    part: int
    prev: int
    epoch: int
    """Grows with every relay that takes the lead."""
    records: list[Record]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How far the relay has sent the log, and by part the last position sent."""

    epoch: int
    head: int
    head_event: UUID
    """Id of the log's event at `head`; all zeros while the log is empty."""
    last: tuple[int, ...]


def batch_message(batch: EncodedBatch, *, prev: int, epoch: int) -> Message:
    """Return the message with this batch."""
    return Message(
        batch.body,
        content_type=CONTENT_TYPE,
        content_encoding="utf-8",
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=f"{batch.part}-{batch.first}-{batch.position}",
        timestamp=datetime.now(UTC),
        type=EVENTS,
        app_id=APP,
        headers={
            "schema": SCHEMA,
            "part": batch.part,
            "first": batch.first,
            "last": batch.position,
            "count": batch.events,
            "prev": prev,
            "epoch": epoch,
            **({"traceparent": batch.traceparent} if batch.traceparent else {}),
        },
    )


def heartbeat_message(heartbeat: Heartbeat) -> Message:
    """Return the message of a heartbeat."""
    return Message(
        b"",
        delivery_mode=DeliveryMode.NOT_PERSISTENT,
        expiration=BEAT_LIVES,
        timestamp=datetime.now(UTC),
        type=BEAT,
        app_id=APP,
        headers={
            "schema": SCHEMA,
            "epoch": heartbeat.epoch,
            "head": heartbeat.head,
            "head_event": str(heartbeat.head_event),
            "last": list(heartbeat.last),
        },
    )


def read_message(message: AbstractMessage) -> Batch | Heartbeat:
    """Return what a message says, or raise `Unreadable`."""
    try:
        if message.headers["schema"] != SCHEMA:
            raise Unreadable
        return _read_heartbeat(message) if message.type == BEAT else _read_batch(message)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Unreadable from None


def _read_batch(message: AbstractMessage) -> Batch:
    read = Batch(
        part=_number(message, "part"),
        prev=_number(message, "prev"),
        epoch=_number(message, "epoch"),
        records=decode_batch(message.body),
    )
    positions = [read.prev, *(record.position for record in read.records)]
    if (
        message.type != EVENTS
        or [positions[1], positions[-1]] != [_number(message, "first"), _number(message, "last")]
        or any(one >= next_one for one, next_one in pairwise(positions))
        or {record.part for record in read.records} != {read.part}
    ):
        raise Unreadable
    return read


def _read_heartbeat(message: AbstractMessage) -> Heartbeat:
    last = message.headers["last"]
    if not isinstance(last, list) or len(last) != PARTS:
        raise Unreadable
    return Heartbeat(
        epoch=_number(message, "epoch"),
        head=_number(message, "head"),
        head_event=UUID(str(message.headers["head_event"])),
        last=tuple(int(str(position)) for position in last),
    )


def _number(message: AbstractMessage, name: str) -> int:
    value = message.headers[name]
    if not isinstance(value, int):
        raise Unreadable
    return value
