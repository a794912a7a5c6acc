"""Columns: what a batch leaves unsaid to save time, the log says all the same; every event arrives as it was sent."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.append import Accepted, Append, EventRow, Stale
from tests.eventstore.appends import END, a_row, an_append, together
from tests.eventstore.conftest import Store

# Few values each, so that columns are often alike, often equal to one another, and often null.
few_ids = st.sampled_from([UUID(int=n) for n in range(1, 4)])
maybe_id = st.none() | few_ids


@st.composite
def rows(draw: st.DrawFn) -> EventRow:
    subject = draw(maybe_id)
    return a_row(draw(st.sampled_from(["a", "b", "c"])), END, uuid4(), 1)._replace(
        part=draw(st.integers(0, 63)),
        event_id=draw(st.uuids()),
        type=draw(st.sampled_from(["One", "Other"])),
        schema=draw(st.integers(1, 2)),
        subject=subject,
        causation_id=draw(few_ids),
        correlation_id=draw(few_ids),
        actor=draw(few_ids) if subject is None else draw(few_ids | st.just(subject)),
        on_behalf_of=draw(maybe_id),
        consent_id=draw(maybe_id),
        traceparent=draw(st.sampled_from([None, "", "00-trace"])),
        occurred_at=draw(st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001  zone beside it
        data=draw(st.sampled_from(["{}", '{"n": 1}', "null"])),
        sealed=draw(st.sampled_from([None, b"", b"\x01sealed"])),
        commitment=draw(st.sampled_from([None, b"c" * 32])),
    )


@st.composite
def commands(draw: st.DrawFn) -> Append:
    command_id = uuid4()
    of_one_command = [
        row._replace(
            command_id=command_id,
            causation_id=draw(st.sampled_from([command_id, row.causation_id])),
            correlation_id=draw(st.sampled_from([command_id, row.correlation_id])),
        )
        for row in draw(st.lists(rows(), min_size=1, max_size=3))
    ]
    operation = draw(st.sampled_from(["Test", "Other"]))
    return Append(command_id, operation, draw(st.binary(max_size=3)), draw(st.integers(1, 2)), of_one_command, heads=[])


@given(batch=st.lists(commands(), min_size=1, max_size=6), sorting=st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_event_of_a_batch_arrives_as_it_was_sent(
    store: Store, batch: list[Append], *, sorting: bool
) -> None:
    before = await store.reader.head()
    streams = {f"{name}-{uuid4()}": name for name in "abc"}
    renamed = {name: stream for stream, name in streams.items()}
    batch = [replace(one, rows=[row._replace(stream=renamed[row.stream]) for row in one.rows]) for one in batch]
    stale = [an_append(("d", 2), guards=[("d", 7)])] if sorting else []

    verdicts = await together(store.appender, *stale, *batch)

    assert verdicts[: len(stale)] == [Stale()] * len(stale)
    records = await store.reader.read(before)
    sent = [row for one in batch for row in one.rows]
    ends = dict.fromkeys(streams, 0)
    for position, (record, row) in enumerate(zip(records, sent, strict=True), start=before + 1):
        ends[row.stream] += 1
        assert record._asdict() == row._asdict() | {
            "format": 1,
            "position": position,
            "version": ends[row.stream],
            "recorded_at": record.recorded_at,
        }
    for one, verdict in zip(batch, verdicts[len(stale) :], strict=True):
        assert isinstance(verdict, Accepted)
        known = await store.reader.command(one.command_id)
        assert known
        assert (known.first, known.last, known.recorded_at) == (verdict.first, verdict.last, verdict.recorded_at)
        assert (known.fingerprint, known.fingerprint_key) == (one.fingerprint, one.fingerprint_key)
    operations = await store.pool.fetch("select operation from commands where first_position > $1", before)
    assert sorted(row["operation"] for row in operations) == sorted(one.operation for one in batch)
