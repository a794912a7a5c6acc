"""The erasure ledger: a line for everyone who was erased, whatever a crash left of the one before."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from adapters.erasure_ledger import FileLedger

ADA, BEN = uuid4(), uuid4()
DAY = date(2026, 11, 22)


async def begun(tmp_path: Path) -> FileLedger:
    ledger = FileLedger(tmp_path / "erasures.jsonl")
    await ledger.begin()
    return ledger


async def test_a_new_ledger_is_empty_and_beginning_again_loses_nothing(tmp_path: Path) -> None:
    ledger = await begun(tmp_path)
    assert await ledger.read() == {}

    await ledger.add(ADA, DAY)
    await ledger.begin()

    assert await ledger.read() == {ADA: DAY}


async def test_a_ledger_that_is_gone_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await FileLedger(tmp_path / "erasures.jsonl").read()
    with pytest.raises(FileNotFoundError):
        await FileLedger(tmp_path / "erasures.jsonl").add(ADA, DAY)


async def test_everyone_has_one_line_which_only_the_owner_may_read(tmp_path: Path) -> None:
    file, ledger = tmp_path / "erasures.jsonl", await begun(tmp_path)

    for person in (ADA, BEN, ADA):
        await ledger.add(person, DAY)

    assert await FileLedger(file).read() == {ADA: DAY, BEN: DAY}
    assert len(file.read_text().splitlines()) == 2
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_line_that_a_crash_has_torn_spoils_no_other(tmp_path: Path) -> None:
    file, ledger = tmp_path / "erasures.jsonl", await begun(tmp_path)
    await ledger.add(ADA, DAY)
    whole = file.read_bytes()
    for torn in range(len(whole)):
        file.write_bytes(whole + whole[:torn])

        with capture_logs():
            await ledger.add(BEN, DAY)
            assert await ledger.read() == {ADA: DAY, BEN: DAY}


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await FileLedger(tmp_path / "away" / "erasures.jsonl").begin()


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_line_for_which_there_is_no_room_is_said_and_added_later(tmp_path: Path) -> None:
    file, ledger = tmp_path / "erasures.jsonl", await begun(tmp_path)
    await ledger.add(ADA, DAY)
    whole = file.stat().st_size

    with capture_logs():
        for left in (0, 1, 40):
            with room_for(whole + left), pytest.raises(OSError):  # noqa: PT011  full or too large, as the system has it
                await ledger.add(BEN, DAY)
        await ledger.add(BEN, DAY)

        assert await ledger.read() == {ADA: DAY, BEN: DAY}
