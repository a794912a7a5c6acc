"""Envelope: Postgres writes what any CloudEvents library reads, and what goes in comes out."""

from datetime import datetime

import asyncpg
import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.broker.envelope import ENVELOPE, decode_batch
from eventstore.record import COLUMNS, Record
from tests.adapters.broker.records import RECORDS, a_record, cloud_event

TYPES = (
    *(
        "smallint",
        "bigint",
        "smallint",
        "text",
        "int",
        "uuid",
        "text",
        "smallint",
        "uuid",
        "uuid",
        "uuid",
        "uuid",
        "uuid",
    ),
    *("uuid", "uuid", "text", "timestamptz", "timestamptz", "json", "bytea", "bytea"),
)


def joined(envelopes: list[str]) -> bytes:
    return f"[{','.join(envelopes)}]".encode()


async def written(database: str, records: list[Record], *, timezone: str = "UTC") -> list[str]:
    """Return the envelopes that Postgres writes of these rows."""
    row = ", ".join(f"${n}::{name}" for n, name in enumerate(TYPES, start=1))
    connection = await asyncpg.connect(database, server_settings={"timezone": timezone})
    try:
        return [
            await connection.fetchval(f"select {ENVELOPE} from (values ({row})) as events ({COLUMNS})", *record)
            for record in records
        ]
    finally:
        await connection.close()


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, max_size=20))
async def test_records_come_back_as_they_were(database: str, records: list[Record]) -> None:
    envelopes = await written(database, records)

    assert decode_batch(joined(envelopes)) == records
    for record, envelope in zip(records, envelopes, strict=True):
        times = {name: datetime.fromisoformat(orjson.loads(envelope)[name]) for name in ("time", "recordedat")}
        assert orjson.loads(envelope) | times == cloud_event(record)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS)
async def test_a_cloudevents_library_reads_each_event_by_itself(database: str, record: Record) -> None:
    [envelope] = await written(database, [record])

    event = JSONFormat().read(CloudEvent, envelope)

    assert event.get_id() == str(record.event_id)
    assert event.get_type() == f"afterschool.{record.type}"
    assert event.get_source() == "/afterschool/log"
    assert event.get_time() == record.occurred_at
    assert event.get_data() == orjson.loads(record.data)
    assert int(event.get_extension("position")) == record.position


async def test_a_server_in_another_time_zone_tells_the_same_time(database: str) -> None:
    record = a_record(1)

    assert decode_batch(joined(await written(database, [record], timezone="Asia/Kolkata"))) == [record]


async def test_no_text_can_break_out_of_its_attribute(database: str) -> None:
    record = a_record(1)._replace(
        stream='s","part":5,"x":"', type='T","data":{},"y":"', traceparent='"}]', subject=None
    )

    assert decode_batch(joined(await written(database, [record]))) == [record]


async def test_the_attributes_of_an_event_are_what_cloudevents_allows(database: str) -> None:
    [envelope] = await written(database, [a_record(2**40, sealed=b"sealed" * 30)])

    for name, value in orjson.loads(envelope).items():
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()
        assert len(name) <= 20
        assert name == "data" or isinstance(value, str) or -(2**31) <= value < 2**31


@pytest.mark.parametrize("body", [b"", b"1", b"[{}]", b"[1]", b'[{"position": "x"}]', b"\xff", b'{"a": 1}'])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        decode_batch(body)
