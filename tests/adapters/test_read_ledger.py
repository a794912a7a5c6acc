"""Read ledger: every read is written once and within a second, whatever Postgres does meanwhile, and stays as it is."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from adapters.read_ledger import ReadLedger
from adapters.reads import pages, read_back
from domain.errors import ReadsUnrecorded
from domain.reads import Read
from eventstore.connections import APP, create_pool
from tests.faults.proxy import Proxy, Towards
from tests.workers.running import eventually

STUDENT, PARENT = uuid4(), uuid4()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database, APP, size=4)
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def note(ledger: ReadLedger, what: str = "Read", student: UUID = STUDENT) -> None:
    ledger.note(actor=PARENT, role="guardian", student=student, what=what, why="guardianship")


async def rows(pool: asyncpg.Pool) -> list[Read]:
    return [read async for page in pages(pool, None) for read in page]


@pytest.fixture
async def ledger(pool: asyncpg.Pool) -> AsyncIterator[ReadLedger]:
    ledger = ReadLedger(pool)
    ledger.start()
    yield ledger
    await ledger.stop()


async def test_reads_are_written_within_a_second_in_the_order_they_were_noted(
    ledger: ReadLedger, pool: asyncpg.Pool
) -> None:
    began = time.monotonic()
    for n in range(1000):
        note(ledger, f"Read{n}")

    async def all_are_there() -> bool:
        return len(await rows(pool)) == 1000

    await eventually(all_are_there)

    assert time.monotonic() - began < 1
    written = await rows(pool)
    assert [(read.id, read.what) for read in written] == [(n + 1, f"Read{n}") for n in range(1000)]
    assert {(read.actor, read.role, read.student, read.why) for read in written} == {
        (PARENT, "guardian", STUDENT, "guardianship")
    }


async def test_what_was_gathered_is_one_statement(
    ledger: ReadLedger, pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    for _ in range(100):
        note(ledger)
    await ledger.stop()

    assert len(await rows(pool)) == 100
    assert await owner.fetchval("select count(batch) from reads") == 1


async def test_stopping_writes_what_waits_and_lets_nobody_read_any_more(pool: asyncpg.Pool) -> None:
    ledger = ReadLedger(pool)
    ledger.start()
    note(ledger)

    await ledger.stop()

    assert [read.what for read in await rows(pool)] == ["Read"]
    with pytest.raises(ReadsUnrecorded):
        note(ledger)


async def test_stopping_takes_no_long_time_and_tells_how_many_were_lost(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.read_ledger.FLUSH_SECONDS", 0.2)
    async with behind_proxy(database) as (pool, proxy):
        ledger = ReadLedger(pool)
        ledger.start()
        proxy.go_silent()
        note(ledger)

        with capture_logs() as logged:
            async with asyncio.timeout(1):
                await ledger.stop()

    assert {"event": "reads_lost", "reads": 1, "log_level": "error"} in logged


async def test_a_full_ledger_lets_nobody_read_until_it_could_write(pool: asyncpg.Pool) -> None:
    ledger = ReadLedger(pool, most=2)
    note(ledger)
    note(ledger)
    with pytest.raises(ReadsUnrecorded):
        note(ledger)

    ledger.start()

    async def there_is_room() -> bool:
        return not ledger._waiting

    await eventually(there_is_room)
    note(ledger, "Again")
    await ledger.stop()
    assert [read.what for read in await rows(pool)] == ["Read", "Read", "Again"]


@asynccontextmanager
async def behind_proxy(database: str) -> AsyncIterator[tuple[asyncpg.Pool, Proxy]]:
    """Open a pool whose way to Postgres leads through a proxy."""
    address = urlsplit(database)
    async with Proxy("127.0.0.1", address.port or 0) as proxy:
        there = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}"))
        pool = await create_pool(there.geturl(), APP, size=2)
        yield pool, proxy
        pool.terminate()


async def test_what_is_noted_while_postgres_is_away_is_written_when_it_is_back(
    database: str, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.read_ledger.PACE", 0.01)
    monkeypatch.setattr("adapters.read_ledger.PAUSE", 0.01)
    monkeypatch.setattr("adapters.read_ledger.AT_ONCE", 3)
    async with behind_proxy(database) as (behind, proxy):
        ledger = ReadLedger(behind)
        ledger.start()
        proxy.go_away()
        for n in range(10):
            note(ledger, f"Read{n}")
        refused = proxy.accepted

        async def it_was_tried() -> bool:
            return proxy.accepted > refused

        await eventually(it_was_tried)
        assert await rows(pool) == []
        proxy.come_back()
        await ledger.stop()

    assert [read.what for read in await rows(pool)] == [f"Read{n}" for n in range(10)]


@pytest.mark.parametrize(("towards", "most"), [(Towards.SERVER, 1500), (Towards.CLIENT, 300)])
async def test_whatever_byte_a_connection_breaks_at_no_read_is_lost_or_doubled(
    database: str, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, towards: Towards, most: int
) -> None:
    monkeypatch.setattr("adapters.read_ledger.PACE", 0.01)
    monkeypatch.setattr("adapters.read_ledger.PAUSE", 0.01)
    chance = random.Random(7)  # noqa: S311  a repeatable storm
    async with behind_proxy(database) as (behind, proxy):
        ledger = ReadLedger(behind)
        ledger.start()

        async def all_is_written() -> bool:
            return not ledger._waiting

        for n in range(30):
            proxy.cut(towards, after=chance.randrange(most), reset=chance.random() < 0.5)
            note(ledger, f"Read{n}")
            await eventually(all_is_written)
        await ledger.stop()
        assert proxy.cuts >= 10

    assert [(read.id, read.what) for read in await rows(pool)] == [(n + 1, f"Read{n}") for n in range(30)]


async def test_ids_have_no_gap_and_the_order_of_commits_whoever_writes(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.read_ledger.PACE", 0.001)
    ledgers = [ReadLedger(pool) for _ in range(3)]
    for ledger in ledgers:
        ledger.start()
    seen: list[int] = []

    async def look() -> bool:
        seen.extend([read.id async for page in pages(pool, seen[-1] if seen else None) for read in page])
        return len(seen) == 300

    for n in range(100):
        for ledger in ledgers:
            note(ledger)
        if n % 10 == 0:
            await look()
    await eventually(look)
    for ledger in ledgers:
        await ledger.stop()

    assert seen == list(range(1, 301))


async def test_writers_wait_for_each_other_and_none_fails(
    ledger: ReadLedger, pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    async def it_waits() -> bool:
        query = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
        return bool(await pool.fetchval(query))

    row = [datetime.now(UTC)], [PARENT], ["guardian"], [STUDENT], ["First"], ["guardianship"]
    with capture_logs() as logged:
        async with owner.transaction():
            await owner.execute("select note_reads($1, $2, $3, $4, $5, $6, $7)", uuid4(), *row)
            note(ledger, "Second")
            await eventually(it_waits)
        await ledger.stop()

    assert [(read.id, read.what) for read in await rows(pool)] == [(1, "First"), (2, "Second")]
    assert logged == []


async def test_reads_are_found_by_whom_and_of_whom_the_last_first(ledger: ReadLedger, pool: asyncpg.Pool) -> None:
    other = uuid4()
    for n in range(3):
        note(ledger, f"Read{n}", STUDENT if n else other)
    await ledger.stop()

    assert [read.what for read in await read_back(pool, of=STUDENT)] == ["Read2", "Read1"]
    assert [read.student for read in await read_back(pool, by=PARENT)] == [STUDENT, STUDENT, other]
    assert [read.id for read in await read_back(pool, by=PARENT, before=3, limit=1)] == [2]
    assert await read_back(pool, by=STUDENT) == []


CHANGES = [
    "update reads set what = 'Other'",
    "update reads set what = 'Other' where id = 0",
    "delete from reads",
    "truncate reads",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_the_owner_changes_what_was_recorded(
    ledger: ReadLedger, pool: asyncpg.Pool, owner: asyncpg.Connection, change: str
) -> None:
    note(ledger)
    await ledger.stop()

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the read ledger is append-only"):
        await owner.execute(change)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await pool.execute(change)

    assert [read.what for read in await rows(pool)] == ["Read"]
