"""Reads: the hash of the read ledger never changes its meaning, and shows every change of a row."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from domain.reads import Chain, Read, read_bytes

READ = Read(
    id=7,
    at=datetime(2026, 3, 1, 15, 30, 0, 123_456, tzinfo=UTC),
    actor=UUID("0190a1b2-0000-4000-8000-000000000002"),
    role="guardian",
    student=UUID("0190a1b2-0000-4000-8000-000000000001"),
    what="GetProgressSummary",
    why="guardianship",
)


def test_the_bytes_of_a_row_are_each_column_behind_its_length() -> None:
    assert read_bytes(READ) == bytes.fromhex(
        "00000008 0000000000000007"
        "00000008 00064bf824b5b040"
        "00000010 0190a1b2000040008000000000000002"
        f"00000008 {b'guardian'.hex()}"
        "00000010 0190a1b2000040008000000000000001"
        f"00000012 {b'GetProgressSummary'.hex()}"
        f"0000000c {b'guardianship'.hex()}"
    )


def test_a_hash_goes_over_the_one_before_and_the_rows_in_order() -> None:
    following = READ._replace(id=8, what="ExportPerson")
    chain = Chain(Chain.BEGINNING)

    chain.take([READ])
    chain.take([following])

    assert chain.digest() == sha256(bytes(32) + read_bytes(READ) + read_bytes(following)).digest()
    assert (chain.count, chain.upto) == (2, 8)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 8},
        {"at": READ.at + timedelta(microseconds=1)},
        {"actor": READ.student},
        {"role": "operator"},
        {"student": READ.actor},
        {"what": "GetUserProfile"},
        {"why": ""},
        {"what": "GetProgressSummaryg", "why": "uardianship"},
    ],
)
def test_no_column_changes_without_another_hash(change: dict[str, object]) -> None:
    assert read_bytes(READ._replace(**change)) != read_bytes(READ)  # type: ignore[arg-type]
