"""The record's bytes and its leaf: golden vectors that no release may change, met by Python and by SQL alike."""

import hashlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.record import COLUMNS, Record, leaf, part_of, record_bytes


def an_id(n: int) -> UUID:
    return UUID(f"{n:08x}-1111-4222-8333-444444444444")


@dataclass(frozen=True)
class Golden:
    """A record, its canonical bytes column by column, and its leaf, worked out by hand with `struct` and SHA-256."""

    record: Record
    canonical: str
    leaf: str


EVERYTHING_SAID = Golden(
    Record(
        format=1,
        position=1,
        part=49,
        stream="user-00000005-1111-4222-8333-444444444444",
        version=1,
        event_id=an_id(1),
        type="UserRegistered",
        schema=1,
        subject=an_id(5),
        command_id=an_id(2),
        causation_id=an_id(3),
        correlation_id=an_id(4),
        actor=an_id(5),
        on_behalf_of=an_id(6),
        consent_id=an_id(7),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        occurred_at=datetime(2026, 3, 1, 15, 30, 0, 1, tzinfo=UTC),
        recorded_at=datetime(2026, 3, 1, 15, 30, 0, 123_456, tzinfo=UTC),
        data='{"role":"student","grade_level":3,"timezone":"Europe/Rome"}',
        sealed=b"\x01" + bytes(range(76)),
        commitment=bytes(range(32)),
    ),
    """
    00000002 0001
    00000008 0000000000000001
    00000002 0031
    00000029 757365722d30303030303030352d313131312d343232322d383333332d343434343434343434343434
    00000004 00000001
    00000010 00000001111142228333444444444444
    0000000e 5573657252656769737465726564
    00000002 0001
    00000010 00000005111142228333444444444444
    00000010 00000002111142228333444444444444
    00000010 00000003111142228333444444444444
    00000010 00000004111142228333444444444444
    00000010 00000005111142228333444444444444
    00000010 00000006111142228333444444444444
    00000010 00000007111142228333444444444444
    00000037 30302d3462663932663335373762333464613661336365393239643065306534373336
             2d303066303637616130626139303262372d3031
    00000008 00064bf824b3ce01
    00000008 00064bf824b5b040
    00000020 b51dc2b1472682962f3e85ea5d70d0845ff667d700a6728e1855a01ff211b511
    00000020 c589ee4a1f44fba441f5297c49118fb65200d04c79ab13051546f9fd6f3b59c0
    00000020 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    """,
    "8263939d54e7b46abfba216317db9a9e3ff3f187cfb5e86aed1d938d6b54dc76",
)
NULLS_AND_LONG_AGO = Golden(
    Record(
        format=1,
        position=2,
        part=0,
        stream="question-é😀",
        version=7,
        event_id=an_id(1),
        type="Frage",
        schema=2,
        subject=None,
        command_id=an_id(2),
        causation_id=an_id(2),
        correlation_id=an_id(2),
        actor=an_id(3),
        on_behalf_of=None,
        consent_id=None,
        traceparent=None,
        occurred_at=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        recorded_at=datetime(1900, 1, 1, tzinfo=UTC),
        data='{"größe": 1, "größe":"\\u00e9😀" }',
        sealed=None,
        commitment=None,
    ),
    """
    00000002 0001
    00000008 0000000000000002
    00000002 0000
    0000000f 7175657374696f6e2dc3a9f09f9880
    00000004 00000007
    00000010 00000001111142228333444444444444
    00000005 4672616765
    00000002 0002
    ffffffff
    00000010 00000002111142228333444444444444
    00000010 00000002111142228333444444444444
    00000010 00000002111142228333444444444444
    00000010 00000003111142228333444444444444
    ffffffff
    ffffffff
    ffffffff
    00000008 ffffffffffffffff
    00000008 fff826efb7436000
    00000020 27fde4f6ec3c5a1aa56b78d8b65f30f0723bb5ea0b31a786c236a5a8d15673b7
    ffffffff
    ffffffff
    """,
    "6ce03f66ab5bd34350cd62f3709f930acccf8d15f3637bdbc484988f113a93fa",
)
EMPTY_IS_NOT_NULL = Golden(
    Record(
        format=1,
        position=2**63 - 1,
        part=63,
        stream="s",
        version=2**31 - 1,
        event_id=UUID(int=2**128 - 1),
        type="",
        schema=2**15 - 1,
        subject=UUID(int=0),
        command_id=an_id(2),
        causation_id=an_id(2),
        correlation_id=an_id(2),
        actor=an_id(3),
        on_behalf_of=None,
        consent_id=an_id(7),
        traceparent="",
        occurred_at=datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
        recorded_at=datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        data="0",
        sealed=b"",
        commitment=b"",
    ),
    """
    00000002 0001
    00000008 7fffffffffffffff
    00000002 003f
    00000001 73
    00000004 7fffffff
    00000010 ffffffffffffffffffffffffffffffff
    00000000
    00000002 7fff
    00000010 00000000000000000000000000000000
    00000010 00000002111142228333444444444444
    00000010 00000002111142228333444444444444
    00000010 00000002111142228333444444444444
    00000010 00000003111142228333444444444444
    ffffffff
    00000010 00000007111142228333444444444444
    00000000
    00000008 0384440ccc735ffe
    00000008 ff23400100d44001
    00000020 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
    00000020 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    00000000
    """,
    "db313fd37f937d42914197daa13e18424e435b0f5ec1ab56ec8540963c02886c",
)
GOLDEN = {
    "everything said": EVERYTHING_SAID,
    "nulls and long ago": NULLS_AND_LONG_AGO,
    "empty is not null": EMPTY_IS_NOT_NULL,
}
each_golden = pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN.keys())
PLACES = """
    $1::smallint, $2::bigint, $3::smallint, $4::text, $5::int, $6::uuid, $7::text, $8::smallint, $9::uuid, $10::uuid,
    $11::uuid, $12::uuid, $13::uuid, $14::uuid, $15::uuid, $16::text, $17::timestamptz, $18::timestamptz, $19::json,
    $20::bytea, $21::bytea
"""


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@each_golden
def test_the_canonical_bytes_never_change(golden: Golden) -> None:
    assert record_bytes(golden.record).hex() == "".join(golden.canonical.split())


@each_golden
def test_the_leaf_never_changes(golden: Golden) -> None:
    assert leaf(golden.record).hex() == golden.leaf
    assert hashlib.sha256(b"\x00" + bytes.fromhex(golden.canonical)).hexdigest() == golden.leaf


@each_golden
async def test_a_stored_row_is_the_record_and_has_its_leaf(owner: asyncpg.Connection, golden: Golden) -> None:
    await owner.execute(f"insert into events values ({PLACES})", *golden.record)

    row = await owner.fetchrow(f"select {COLUMNS}, event_leaf(e) from events e")

    assert row
    assert Record(*row[:-1]) == golden.record
    assert row[-1].hex() == golden.leaf


async def test_the_columns_stand_in_the_table_in_the_order_of_the_record(owner: asyncpg.Connection) -> None:
    names = await owner.fetch(
        "select attname from pg_attribute where attrelid = 'events'::regclass and attnum > 0 order by attnum"
    )

    assert [name for (name,) in names] == list(Record._fields) == COLUMNS.split(", ")


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  zone beside it
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner)
)
records = st.builds(
    Record,
    format=st.just(1),
    position=st.integers(1, 2**63 - 1),
    part=st.integers(0, 63),
    stream=text,
    version=st.integers(1, 2**31 - 1),
    event_id=st.uuids(),
    type=text,
    schema=st.integers(1, 2**15 - 1),
    subject=st.none() | st.uuids(),
    command_id=st.uuids(),
    causation_id=st.uuids(),
    correlation_id=st.uuids(),
    actor=st.uuids(),
    on_behalf_of=st.none() | st.uuids(),
    consent_id=st.none() | st.uuids(),
    traceparent=st.none() | text,
    occurred_at=moments,
    recorded_at=moments,
    data=st.builds(json.dumps, json_values, ensure_ascii=st.booleans()),
    sealed=st.none() | st.binary(),
    commitment=st.none() | st.binary(min_size=32, max_size=32),
)


@given(record=records)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_python_and_sql_agree_on_every_leaf(owner: asyncpg.Connection, record: Record) -> None:
    assert await owner.fetchval(f"select event_leaf(row({PLACES})::events)", *record) == leaf(record)


@given(record=records, moved=st.data())
def test_no_two_different_records_share_their_bytes(record: Record, moved: st.DataObject) -> None:
    column = moved.draw(st.sampled_from([name for name in Record._fields if name != "format"]))
    other = getattr(moved.draw(records), column)

    same = record_bytes(record._replace(**{column: other})) == record_bytes(record)

    assert same == (getattr(record, column) == other)


@pytest.mark.parametrize(
    ("subject", "stream", "part"),
    [
        (UUID(int=0), "user-anything", 55),
        (UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"), "practice-anything", 26),
        (None, "question-1", 49),
        (None, "question-é", 42),
    ],
)
def test_the_part_of_a_stream_never_changes(subject: UUID | None, stream: str, part: int) -> None:
    assert part_of(subject, stream) == part


@given(subject=st.uuids())
def test_a_persons_streams_share_their_part(subject: UUID) -> None:
    (first_byte,) = struct.unpack(">B31x", hashlib.sha256(subject.bytes).digest())

    assert part_of(subject, f"user-{subject}") == part_of(subject, f"practice-{subject}") == first_byte % 64
