"""Messages: what a relay writes is what a reader reads, and everything else is unreadable."""

from datetime import datetime
from uuid import UUID

import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import FieldValue

from adapters.broker.messages import Batch, Heartbeat, Unreadable, batch_message, heartbeat_message, read_message
from eventstore.record import Record
from tests.adapters.broker.records import a_batch, a_record

RECORDS = [a_record(3, 7), a_record(9, 7)]
BEAT = Heartbeat(epoch=2, head=9, head_event=UUID(int=9), last=tuple(range(64)))


def message_of(*records: Record, prev: int = 1) -> Message:
    return batch_message(a_batch(*records), prev=prev, epoch=2)


def test_a_batch_comes_back_with_what_it_goes_on_from() -> None:
    assert read_message(message_of(*RECORDS)) == Batch(part=7, prev=1, epoch=2, records=RECORDS)


def test_a_heartbeat_comes_back() -> None:
    assert read_message(heartbeat_message(BEAT)) == BEAT


def test_a_batch_survives_the_broker_and_names_itself_to_operators() -> None:
    message = message_of(*RECORDS[:1], RECORDS[1]._replace(traceparent="00-a-b-01"))

    assert message.delivery_mode is DeliveryMode.PERSISTENT
    assert message.message_id == "7-3-9"
    assert message.type == "events"
    assert message.app_id == "afterschool"
    assert message.content_type == "application/cloudevents-batch+json"
    assert isinstance(message.timestamp, datetime)
    assert message.headers["traceparent"] == "00-a-b-01"
    assert message.headers["count"] == 2


def test_a_heartbeat_that_nobody_receives_goes_by_itself() -> None:
    message = heartbeat_message(BEAT)

    assert message.expiration == 10
    assert isinstance(message.timestamp, datetime)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("schema", 2),
        ("part", 8),
        ("part", "7"),
        ("first", 2),
        ("last", 10),
        ("prev", 3),
        ("prev", None),
        ("epoch", "two"),
    ],
)
def test_a_batch_whose_headers_belie_it_is_unreadable(header: str, value: int | str | None) -> None:
    message = message_of(*RECORDS)
    message.headers[header] = value

    with pytest.raises(Unreadable):
        read_message(message)


@pytest.mark.parametrize("header", ["schema", "part", "first", "last", "prev", "epoch"])
def test_a_batch_without_one_of_its_headers_is_unreadable(header: str) -> None:
    message = message_of(*RECORDS)
    del message.headers[header]

    with pytest.raises(Unreadable):
        read_message(message)


@pytest.mark.parametrize("records", [[RECORDS[1], RECORDS[0]], [RECORDS[0], RECORDS[0]], [RECORDS[0], a_record(9, 8)]])
def test_events_out_of_order_or_of_two_parts_are_unreadable(records: list[Record]) -> None:
    with pytest.raises(Unreadable):
        read_message(message_of(*records))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff\xfe", b"[[]]"])
def test_a_body_that_is_no_batch_is_unreadable(body: bytes) -> None:
    message = message_of(*RECORDS)
    message.body = body

    with pytest.raises(Unreadable):
        read_message(message)


@pytest.mark.parametrize(
    ("header", "value"),
    [("last", [1, 2]), ("last", "x"), ("last", ["x"] * 64), ("head", "x"), ("head_event", "x"), ("epoch", None)],
)
def test_a_heartbeat_that_says_something_else_is_unreadable(header: str, value: FieldValue) -> None:
    message = heartbeat_message(BEAT)
    message.headers[header] = value

    with pytest.raises(Unreadable):
        read_message(message)


def test_a_strangers_message_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_message(Message(b"hello"))
