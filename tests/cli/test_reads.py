"""Reads on the command line: who read whose data, and whether the record of it is still whole."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from adapters.read_ledger import ReadLedger
from tests.cli.conftest import Terminal
from tests.eventstore.conftest import Store
from tests.workers.running import eventually
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


class Serving:
    """`afterschool serve` as a process of its own, and a parent and their child at it."""

    def __init__(self, process: subprocess.Popen[bytes], client: httpx.AsyncClient) -> None:
        self.process = process
        self._client = client

    async def begin(self) -> None:
        """Wait until it serves, and register the family."""

        async def is_ready() -> bool:
            try:
                return (await self._client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(is_ready)
        self._parent = await self._register("parent", {})
        self._child = await self._register("student", self._parent[1])

    async def read(self) -> None:
        """Let the parent read the child's profile."""
        answer = await self._client.get(f"/users/{self._child[0]}", headers=self._parent[1])
        assert answer.status_code == 200, answer.text

    async def _register(self, role: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
        account = {"email": f"{role}@family.example", "password": "correct horse battery staple"}
        profile = {"name": "Ada", "grade_level": 4 if role == "student" else None}
        made = await self._client.post("/users", json=account | {"role": role, "profile": profile}, headers=headers)
        tokens = (await self._client.post("/auth/login", json=account)).json()
        return made.json()["id"], {"authorization": f"Bearer {tokens['access_token']}"}


@pytest.fixture
async def serving(terminal: Terminal, auth: str) -> AsyncIterator[Serving]:
    del auth
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve"], env=os.environ | terminal.environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{terminal.environment['AFTERSCHOOL_PORT']}"
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        serving = Serving(process, client)
        await serving.begin()
        yield serving
    process.kill()
    process.wait()


async def test_a_process_that_is_stopped_writes_what_it_has_noted(serving: Serving, store: Store) -> None:
    for _ in range(20):
        await serving.read()
    serving.process.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(serving.process.wait, 10) == 0
    assert await store.pool.fetchval("select count(*) from reads") == 20


async def test_a_process_that_is_killed_loses_nothing_older_than_a_second(serving: Serving, store: Store) -> None:
    await serving.read()

    async with asyncio.timeout(1):
        while not await store.pool.fetchval("select count(*) from reads"):  # noqa: ASYNC110  another process writes
            await asyncio.sleep(0.01)
    serving.process.kill()

    await asyncio.to_thread(serving.process.wait, 10)
    assert await store.pool.fetchval("select count(*) from reads") == 1
