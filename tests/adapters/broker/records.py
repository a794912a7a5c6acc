"""Records: any row that the log may hold."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from hypothesis import strategies as st

from eventstore.record import Record

UUIDS = st.uuids()
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
DATA = st.dictionaries(
    TEXT, st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXT, st.lists(TEXT))
)
RECORDS = st.builds(
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
