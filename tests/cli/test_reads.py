"""Reads on the command line: who read whose data, and whether the record of it is still whole."""

import json
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.read_ledger import ReadLedger
from tests.cli.conftest import Terminal
from tests.eventstore.conftest import Store
from workers.hash_reads import hash_reads

PARENT, CHILD, SIBLING = uuid4(), uuid4(), uuid4()


async def read(store: Store, *children: UUID) -> None:
    ledger = ReadLedger(store.pool)
    ledger.start()
    for n, child in enumerate(children, start=1):
        ledger.note(actor=PARENT, role="guardian", student=child, what=f"Read{n}", why="guardianship")
    await ledger.stop()


async def test_the_list_tells_whose_data_somebody_read_and_who_read_somebodys(terminal: Terminal, store: Store) -> None:
    await read(store, CHILD, SIBLING, CHILD)

    by = await terminal("reads", "list", "--by", str(PARENT))
    of = await terminal("reads", "list", "--of", str(CHILD), "--json")
    both = await terminal("reads", "list", "--by", str(CHILD), "--of", str(CHILD))

    assert [line.split("  ")[1:] for line in by.stdout.splitlines()] == [
        [str(PARENT), "guardian", f"Read{n}", str(child), "guardianship"]
        for n, child in [(3, CHILD), (2, SIBLING), (1, CHILD)]
    ]
    told = [json.loads(line) for line in of.stdout.splitlines()]
    assert [(one["id"], one["student"], one["what"]) for one in told] == [
        (3, str(CHILD), "Read3"),
        (1, str(CHILD), "Read1"),
    ]
    assert (both.exit_code, both.stdout) == (0, "")


async def test_a_long_list_is_told_to_its_end(
    terminal: Terminal, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await read(store, *[CHILD] * 7)
    monkeypatch.setattr("cli.reads.PAGE", 3)

    shown = await terminal("reads", "list", "--by", str(PARENT), "--json")

    assert [json.loads(line)["id"] for line in shown.stdout.splitlines()] == [7, 6, 5, 4, 3, 2, 1]


async def test_somebody_must_be_named(terminal: Terminal) -> None:
    done = await terminal("reads", "list")

    assert (done.exit_code, done.stderr) == (2, "Name who read, or whose data was read.\n")


async def test_verify_counts_what_is_whole_and_names_what_is_not(terminal: Terminal, store: Store) -> None:
    await read(store, CHILD, SIBLING)
    await hash_reads(store.log, store.pool)
    await read(store, CHILD)

    whole = await terminal("reads", "verify")
    owner = await asyncpg.connect(store.dsn)
    await owner.execute("alter table reads disable trigger reads_append_only")
    await owner.execute("delete from reads where id = 1")
    await owner.close()
    broken = await terminal("reads", "verify")

    assert (whole.exit_code, whole.stdout) == (0, "2 reads hashed, 1 not hashed yet.\n")
    assert broken.exit_code == 1
    assert broken.stderr.startswith("rows 1 to 2, hashed on ")
    assert broken.stderr.endswith(": 1 removed\n")
