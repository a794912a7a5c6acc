"""Hashing of reads: every row comes under one hash in the log, and whatever is done to a row afterwards shows."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import asyncpg
import pytest

from adapters.read_ledger import ReadLedger
from commands.ports import Decide
from domain.cause import HOUSEKEEPER, Cause, Receipt
from domain.events import ReadsHashed
from domain.reads import READS
from eventstore.codec import decode
from tests.eventstore.conftest import Store, store
from workers.hash_reads import hash_reads
from workers.verify_reads import verify_reads

__all__ = ["store"]


async def read(store: Store, times: int) -> None:
    ledger = ReadLedger(store.pool)
    ledger.start()
    for n in range(times):
        ledger.note(actor=uuid4(), role="guardian", student=uuid4(), what=f"Read{n}", why="guardianship")
    await ledger.stop()


async def hashes(store: Store) -> list[tuple[int, int]]:
    events = [decode(record) for record in await store.reader.stream(f"reads-{READS}")]
    return [(event.upto, event.count) for event in events if isinstance(event, ReadsHashed)]


@pytest.fixture
async def owner(store: Store) -> AsyncIterator[asyncpg.Connection]:
    """Connect as who owns the ledger, with its guard taken away, and seven rows in it, of which five are hashed."""
    for times in (2, 3):
        await read(store, times)
        await hash_reads(store.log, store.pool)
    await read(store, 2)
    connection = await asyncpg.connect(store.dsn)
    await connection.execute("alter table reads disable trigger reads_append_only")
    yield connection
    await connection.close()


async def test_what_is_new_is_hashed_once_and_nothing_where_nothing_is(store: Store) -> None:
    assert await hash_reads(store.log, store.pool) == 0
    await read(store, 3)
    assert await hash_reads(store.log, store.pool) == 3
    assert await hash_reads(store.log, store.pool) == 0
    await read(store, 2)
    assert await hash_reads(store.log, store.pool) == 2

    assert await hashes(store) == [(3, 3), (5, 2)]
    [record, _] = await store.reader.stream(f"reads-{READS}")
    assert (record.actor, record.subject, record.type) == (HOUSEKEEPER, None, "ReadsHashed")


async def test_processes_that_hash_at_once_enter_every_row_once(store: Store) -> None:
    for _ in range(5):
        await read(store, 4)

        done = await asyncio.gather(*(hash_reads(store.log, store.pool) for _ in range(4)))

        assert sorted(done) == [0, 0, 0, 4]

    assert await hashes(store) == [(4 * n, 4) for n in range(1, 6)]
    assert (await verify_reads(store.pool)).differences == []


class Late:
    """A log that somebody else comes before."""

    def __init__(self, store: Store, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._log = store.log
        self._meanwhile = meanwhile
        self.read_receipt = self._log.read_receipt

    async def execute(self, cause: Cause, decide: Decide) -> Receipt:
        await self._meanwhile()
        return await self._log.execute(cause, decide)


@pytest.mark.parametrize("more", [0, 3])
async def test_who_comes_too_late_enters_nothing(store: Store, more: int) -> None:
    await read(store, 2)

    async def another() -> None:
        await read(store, more)
        assert await hash_reads(store.log, store.pool) == 2 + more

    assert await hash_reads(Late(store, another), store.pool) == 0

    assert await hashes(store) == [(2 + more, 2 + more)]


async def test_a_long_ledger_is_hashed_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await read(store, 7)
    await hash_reads(store.log, store.pool)
    monkeypatch.setattr("adapters.reads.PAGE", 3)
    await read(store, 6)
    await hash_reads(store.log, store.pool)

    found = await verify_reads(store.pool)

    assert (found.hashes, found.reads, found.unhashed, found.differences) == (2, 13, 0, [])


async def test_a_whole_ledger_is_found_whole(store: Store, owner: asyncpg.Connection) -> None:
    del owner
    found = await verify_reads(store.pool)

    assert (found.hashes, found.reads, found.unhashed, found.differences) == (2, 5, 2, [])


COLUMNS = "at, actor, role, student, what, why, null"
TAMPERED = {
    "update reads set actor = gen_random_uuid() where id = 1": ["rows 1 to 2: changed"],
    "update reads set at = at + interval '1 microsecond' where id = 5": ["rows 3 to 5: changed"],
    "update reads set student = (select student from reads where id = 4) where id = 3": ["rows 3 to 5: changed"],
    "update reads set what = 'Read9' where id in (2, 3)": ["rows 1 to 2: changed", "rows 3 to 5: changed"],
    "delete from reads where id = 4": ["rows 3 to 5: 1 removed"],
    "delete from reads where id >= 5": ["rows 3 to 5: 1 removed"],
    "delete from reads where id <= 2": ["rows 1 to 2: 2 removed"],
    "truncate reads": ["rows 1 to 2: 2 removed", "rows 3 to 5: 3 removed"],
    "alter table reads drop constraint reads_id_check; update reads set id = -1 where id = 1": ["rows 1 to 2: changed"],
    "alter table reads drop constraint reads_id_check;"
    f"insert into reads select -3, {COLUMNS} from reads where id = 3": ["rows 1 to 2: 1 inserted"],
    "delete from reads where id = 6": ["rows 6 to 6, not hashed yet: missing"],
}


@pytest.mark.parametrize("tampering", TAMPERED)
async def test_whoever_changes_removes_or_inserts_a_row_is_found_out(
    store: Store, owner: asyncpg.Connection, tampering: str
) -> None:
    await owner.execute(tampering)

    found = await verify_reads(store.pool)

    told = [re.sub(r", hashed on [\d-]+ \d\d:\d\d UTC", "", line) for line in found.differences]
    assert told == TAMPERED[tampering]
