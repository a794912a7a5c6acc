"""Envelope: what goes in comes out, and any CloudEvents library can read it."""

import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from adapters.broker.envelope import batch, decode_batch, encode
from eventstore.record import Record
from tests.adapters.broker.records import RECORDS, a_record


@given(st.lists(RECORDS, max_size=5))
def test_records_come_back_as_they_were(records: list[Record]) -> None:
    assert decode_batch(batch(map(encode, records))) == records


@given(RECORDS)
def test_a_cloudevents_library_reads_each_event_by_itself(record: Record) -> None:
    event = JSONFormat().read(CloudEvent, encode(record))

    assert event.get_id() == str(record.event_id)
    assert event.get_type() == f"afterschool.{record.type}"
    assert event.get_source() == "/afterschool/log"
    assert event.get_time() == record.occurred_at
    assert event.get_data() == orjson.loads(record.data)
    assert int(event.get_extension("position")) == record.position


def test_the_attributes_of_an_event_are_what_cloudevents_allows() -> None:
    [event] = orjson.loads(batch([encode(a_record(2**40, sealed=b"sealed"))]))

    for name, value in event.items():
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20
        assert name == "data" or isinstance(value, str) or -(2**31) <= value < 2**31


@pytest.mark.parametrize("body", [b"", b"1", b"[{}]", b"[1]", b'[{"position": "x"}]', b"\xff", b'{"a": 1}'])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        decode_batch(body)
