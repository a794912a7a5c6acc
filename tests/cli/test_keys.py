"""Keys: after a rotation every person's fields still open, under the new master key only."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from adapters.embedded.loopback import free_port
from adapters.embedded.program import Program
from cli.key_file import KeyFile
from cli.rotation import _ROTATING
from domain.errors import KeysUnusable
from eventstore.connections import KEYS, create_pool
from eventstore.keys import KeyStore, MasterKeys
from eventstore.opening import open_personal
from eventstore.record import Record
from tests.cli.conftest import EMAIL, NAME, Terminal, register
from tests.eventstore.conftest import Store, key_set


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database, KEYS, size=4)
    yield opened
    await opened.close()


REGISTRATION = {
    "email": EMAIL,
    "password": "correct horse battery staple",
    "role": "student",
    "profile": {"name": NAME, "grade_level": 3, "learning_preferences": []},
}


@asynccontextmanager
async def serving(terminal: Terminal, directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API as a process of its own."""
    port = int(terminal.environment["AFTERSCHOOL_PORT"])
    program = Program(
        "api",
        [sys.executable, "-m", "cli.main", "serve"],
        lock=directory / "api.pid",
        log=directory / "api.log",
        environment={**os.environ, **terminal.environment},
        port=port,
        path="/health/ready",
    )
    await program.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        await program.stop()


def versions(file: Path) -> list[str]:
    return list(json.loads(file.read_text(encoding="utf-8")))


def add_version(file: Path, version: int) -> None:
    """Leave the file as a rotation does that was stopped after its first step."""
    added = json.loads(file.read_text(encoding="utf-8")) | json.loads(key_set(version))
    file.write_text(json.dumps(added), encoding="utf-8")


async def open_name(pool: asyncpg.Pool, keys: str, record: Record) -> object:
    """Open what an event says of a person, as a process does that starts with this key set."""
    assert record.sealed
    assert record.subject
    opened = await open_personal(
        KeyStore(pool, MasterKeys(lambda: keys)),
        record.subject,
        record.sealed,
        event_id=record.event_id,
        stream=record.stream,
        event_type=record.type,
        schema=record.schema,
    )
    return opened["name"] if isinstance(opened, dict) else opened


async def test_rotating_wraps_everyones_key_anew_and_destroys_the_old_master_key(
    terminal: Terminal, store: Store, pool: asyncpg.Pool, key_file: Path
) -> None:
    for _ in range(3):
        await register(store, allowed=False)
    before = key_file.read_text(encoding="utf-8")

    shown = await terminal("keys", "rotate", "--json")

    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == {"version": 2, "rewrapped": 3, "removed": [1], "removable": []}
    assert versions(key_file) == ["2"]
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert list(key_file.parent.iterdir()) == [key_file]
    for record in await store.reader.read(0):
        assert await open_name(pool, key_file.read_text(encoding="utf-8"), record) == NAME
        with pytest.raises(KeysUnusable):
            await open_name(pool, before, record)


async def test_a_process_that_was_running_finds_the_new_version_by_itself(
    terminal: Terminal, pool: asyncpg.Pool, key_file: Path
) -> None:
    running = KeyStore(pool, MasterKeys(lambda: key_file.read_text(encoding="utf-8")))
    person = uuid4()
    await running.create(person)

    await terminal("keys", "rotate")

    assert (await running.key_of(person)).key_id


@pytest.mark.usefixtures("auth")
async def test_an_api_that_was_running_seals_nothing_that_the_next_one_cannot_open(
    terminal: Terminal, tmp_path: Path, redis_url: str
) -> None:
    async with serving(terminal, tmp_path) as api:
        await terminal("keys", "rotate")
        made = await api.post("/users", json=REGISTRATION)
        signed_in = await api.post("/auth/login", json={key: REGISTRATION[key] for key in ("email", "password")})

    async with Redis.from_url(redis_url) as cache:
        await cache.flushall()
    async with serving(terminal, tmp_path) as api:
        token = signed_in.json()["access_token"]
        read = await api.get(f"/users/{made.json()['id']}", headers={"authorization": f"Bearer {token}"})

    assert read.status_code == 200
    assert read.json()["profile"]["name"] == NAME


async def test_a_process_makes_no_key_under_a_version_that_is_destroyed(
    terminal: Terminal, pool: asyncpg.Pool, key_file: Path
) -> None:
    running = KeyStore(pool, MasterKeys(lambda: key_file.read_text(encoding="utf-8")))
    await terminal("keys", "rotate")
    person = uuid4()

    await running.create(person)

    started = KeyStore(pool, MasterKeys(lambda: key_file.read_text(encoding="utf-8")))
    assert (await started.key_of(person)).key_id


async def test_people_who_register_during_a_rotation_keep_their_keys(
    terminal: Terminal, pool: asyncpg.Pool, key_file: Path
) -> None:
    people: list[UUID] = []
    stop = asyncio.Event()

    async def keep_registering() -> None:
        running = KeyStore(pool, MasterKeys(lambda: key_file.read_text(encoding="utf-8")))
        while not stop.is_set():
            person = uuid4()
            await running.create(person)
            people.append(person)

    registering = [asyncio.create_task(keep_registering()) for _ in range(3)]
    rotations = [await terminal("keys", "rotate") for _ in range(3)]
    stop.set()
    await asyncio.gather(*registering)

    assert [rotation.stderr for rotation in rotations] == ["", "", ""]
    started = KeyStore(pool, MasterKeys(lambda: key_file.read_text(encoding="utf-8")))
    assert all([(await started.key_of(person)).key_id for person in people])
    assert versions(key_file) == ["4"]


async def test_a_rotation_that_was_stopped_is_finished_and_none_is_added(
    terminal: Terminal, store: Store, pool: asyncpg.Pool, key_file: Path
) -> None:
    await register(store, allowed=False)
    add_version(key_file, 2)
    await register(store, allowed=False)

    shown = await terminal("keys", "rotate", "--json")

    assert json.loads(shown.stdout) == {"version": 2, "rewrapped": 2, "removed": [1], "removable": []}
    assert versions(key_file) == ["2"]
    for record in await store.reader.read(0):
        assert await open_name(pool, key_file.read_text(encoding="utf-8"), record) == NAME


async def test_keys_of_the_environment_are_rewrapped_and_what_may_go_is_named(
    terminal: Terminal, store: Store, pool: asyncpg.Pool, key_file: Path
) -> None:
    await register(store, allowed=False)
    add_version(key_file, 2)
    keys = key_file.read_text(encoding="utf-8")
    in_environment = Terminal({k: v for k, v in terminal.environment.items() if k != "AFTERSCHOOL_MASTER_KEYS_FILE"})

    shown = await in_environment("keys", "rotate", AFTERSCHOOL_MASTER_KEYS=keys)

    assert shown.exit_code == 0
    assert "Version 1 may be removed from AFTERSCHOOL_MASTER_KEYS" in shown.stdout
    newest = json.dumps({"2": json.loads(keys)["2"]})
    [record] = await store.reader.read(0)
    assert await open_name(pool, newest, record) == NAME


async def test_without_a_new_version_keys_of_the_environment_cannot_be_rotated(
    terminal: Terminal, key_file: Path
) -> None:
    in_environment = Terminal({k: v for k, v in terminal.environment.items() if k != "AFTERSCHOOL_MASTER_KEYS_FILE"})

    shown = await in_environment("keys", "rotate", AFTERSCHOOL_MASTER_KEYS=key_file.read_text(encoding="utf-8"))

    assert shown.exit_code == 1
    assert "Add version 2" in shown.stderr


async def test_a_key_set_that_lacks_a_key_in_use_is_left_alone(
    terminal: Terminal, store: Store, key_file: Path
) -> None:
    await register(store, allowed=False)
    key_file.write_text(key_set(7), encoding="utf-8")

    shown = await terminal("keys", "rotate")

    assert shown.exit_code == 1
    assert "lacks version 1" in shown.stderr
    assert versions(key_file) == ["7"]


async def test_two_rotations_never_run_at_once(terminal: Terminal, pool: asyncpg.Pool, key_file: Path) -> None:
    async with pool.acquire() as other:
        await other.execute("select pg_advisory_lock($1)", _ROTATING)

        shown = await terminal("keys", "rotate")

    assert shown.exit_code == 1
    assert versions(key_file) == ["1"]


async def test_a_key_file_of_another_user_is_left_alone(
    terminal: Terminal, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = key_file.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)

    shown = await terminal("keys", "rotate")

    assert shown.exit_code == 1
    assert "another user" in shown.stderr
    assert versions(key_file) == ["1"]


def test_a_link_stays_a_link_when_the_key_file_behind_it_is_replaced(key_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file)
    file = KeyFile.in_force({"AFTERSCHOOL_DATABASE_URL": "x", "AFTERSCHOOL_MASTER_KEYS_FILE": str(link)})
    assert file

    file.add_version()

    assert link.is_symlink()
    assert versions(key_file) == ["1", "2"]


def test_the_key_file_of_the_running_system_is_found(key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "environment").write_text(f"AFTERSCHOOL_MASTER_KEYS_FILE={key_file}\n", encoding="utf-8")

    assert KeyFile.in_force({"AFTERSCHOOL_DATA_DIR": str(tmp_path)}) == KeyFile(key_file)
    assert KeyFile.in_force({"AFTERSCHOOL_DATABASE_URL": "x", "AFTERSCHOOL_DATA_DIR": str(tmp_path)}) is None


async def test_a_rotation_prints_no_name_and_no_key(terminal: Terminal, store: Store, key_file: Path) -> None:
    await register(store, allowed=False)
    before = key_file.read_text(encoding="utf-8")

    shown = await terminal("keys", "rotate")

    secrets = [*json.loads(before).values(), *json.loads(key_file.read_text(encoding="utf-8")).values(), NAME, EMAIL]
    assert not any(secret in shown.output for secret in secrets)


async def test_a_database_that_is_away_changes_no_key(terminal: Terminal, key_file: Path) -> None:
    url = f"postgresql://somebody:hunter2@127.0.0.1:{free_port()}/afterschool"

    shown = await terminal("keys", "rotate", AFTERSCHOOL_DATABASE_URL=url)

    assert shown.exit_code == 3
    assert versions(key_file) == ["1"]
