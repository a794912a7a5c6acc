"""Records: any row that the log may hold, and batches of them as Python would write them."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from hypothesis import strategies as st

from adapters.broker.outbox import EncodedBatch
from eventstore.record import Record

UUIDS = st.uuids()
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
DATA = st.dictionaries(
    TEXT, st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXT, st.lists(TEXT))
)
ANY = st.builds(
    Record,
    format=st.just(1),
    position=st.integers(1, 2**63 - 1),
    part=st.integers(0, 63),
    stream=UUIDS.map(lambda this: f"user-{this}"),
    version=st.integers(1, 2**31 - 1),
    event_id=UUIDS,
    type=st.sampled_from(["ProgressRecorded", "UserRegistered"]),
    schema=st.integers(1, 9),
    subject=st.none() | UUIDS,
    command_id=UUIDS,
    causation_id=UUIDS,
    correlation_id=UUIDS,
    actor=UUIDS,
    on_behalf_of=st.none() | UUIDS,
    consent_id=st.none() | UUIDS,
    traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    occurred_at=MOMENTS,
    recorded_at=MOMENTS,
    data=DATA.map(lambda data: orjson.dumps(data).decode()),
    sealed=st.none() | st.binary(max_size=80),
    commitment=st.none() | st.binary(min_size=32, max_size=32),
)


def as_sent(record: Record) -> Record:
    """Return a record as most are: somebody's own, caused by nothing but its command."""
    own = record.command_id
    return record._replace(causation_id=own, correlation_id=own, actor=record.subject or record.actor)


RECORDS = ANY | ANY.map(as_sent)


def cloud_event(record: Record) -> dict[str, object]:
    """Return the record as a CloudEvent."""
    event = {
        "specversion": "1.0",
        "id": str(record.event_id),
        "source": "/afterschool/log",
        "type": f"afterschool.{record.type}",
        "subject": str(record.subject or record.stream),
        "time": record.occurred_at,
        "data": orjson.loads(record.data),
        "position": str(record.position),
        "part": record.part,
        "stream": record.stream,
        "streamversion": record.version,
        "schemaversion": record.schema,
        "commandid": str(record.command_id),
        "causationid": None if record.causation_id == record.command_id else str(record.causation_id),
        "correlationid": None if record.correlation_id == record.command_id else str(record.correlation_id),
        "actor": None if record.actor == record.subject else str(record.actor),
        "recordedat": record.recorded_at,
        "onbehalfof": record.on_behalf_of and str(record.on_behalf_of),
        "consentid": record.consent_id and str(record.consent_id),
        "traceparent": record.traceparent,
        "sealed": None if record.sealed is None else b64encode(record.sealed).decode(),
        "commitment": None if record.commitment is None else b64encode(record.commitment).decode(),
    }
    return {name: value for name, value in event.items() if value is not None}


def a_batch(*records: Record) -> EncodedBatch:
    """Return these records of one part as one batch."""
    first, last = records[0], records[-1]
    body = orjson.dumps([cloud_event(record) for record in records])
    return EncodedBatch(first.part, first.position, last.position, len(records), last.event_id, last.traceparent, body)


def a_record(position: int, part: int = 0, *, data: str = "{}", sealed: bytes | None = None) -> Record:
    """Return an event at this position."""
    return Record(
        format=1,
        position=position,
        part=part,
        stream=f"practice-{UUID(int=part)}",
        version=1,
        event_id=UUID(int=position),
        type="Tested",
        schema=1,
        subject=UUID(int=part),
        command_id=UUID(int=position),
        causation_id=UUID(int=position),
        correlation_id=UUID(int=position),
        actor=UUID(int=part),
        on_behalf_of=None,
        consent_id=None,
        traceparent=None,
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(microseconds=position),
        data=data,
        sealed=sealed,
        commitment=None,
    )
