"""Shared machines of the tests: one Postgres, Valkey and RabbitMQ for the whole run, a fresh database for each test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.broker.topology import Topology
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.valkey import EmbeddedValkey
from adapters.migrations import migrate
from tests.broker import Broker, is_native, remove, running_broker

NATIVE = (
    "embedded/test_rabbitmq.py",
    "faults/test_kill_fan_out.py",
    "faults/test_replay_through_faults.py",
    "journeys/test_with_broker.py",
)
"""Tests of an installed RabbitMQ, which have nothing to test where the broker is elsewhere."""
TEMPLATE = "afterschool_template"


@pytest.fixture(scope="session")
def machine() -> Iterator[Path]:
    """Return a directory that root's unprivileged Postgres can reach, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="afterschool-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
async def postgres(machine: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Start a server without fsync, and in it a template database with every migration applied."""
    server = EmbeddedPostgres(machine / "postgres", durable=False)
    await server.start()
    await _execute(server.url, f"create database {TEMPLATE}")
    await migrate(_database_url(server, TEMPLATE))
    yield server
    await server.stop()


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Return the address of a fresh database with every migration applied."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres.url, f"create database {name} template {TEMPLATE}")
    yield _database_url(postgres, name)
    await _drop_database(postgres, name)


@pytest.fixture
async def empty_database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """Return the address of a fresh database without any migration."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres.url, f"create database {name}")
    yield _database_url(postgres, name)
    await _drop_database(postgres, name)


@pytest.fixture(scope="session")
async def valkey(machine: Path) -> AsyncIterator[str]:
    """Start a Valkey and return its address."""
    server = EmbeddedValkey(machine / "valkey")
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture
async def redis_url(valkey: str) -> AsyncIterator[str]:
    """Return the address of an empty Valkey."""
    client = Redis.from_url(valkey)
    await client.flushall()
    yield valkey
    await client.aclose()


@pytest.fixture(scope="session")
async def rabbitmq(machine: Path) -> AsyncIterator[str]:
    """Return the address of a broker that all tests share: each declares a `Topology` with a name of its own."""
    if given := os.environ.get("AFTERSCHOOL_RABBITMQ_URL"):
        yield given
        return
    async with running_broker(machine / "rabbitmq") as broker:
        yield broker.url


@pytest.fixture(scope="session")
async def own_rabbitmq(machine: Path) -> AsyncIterator[Broker]:
    """Return a broker that tests may stop and kill, and must leave running."""
    async with running_broker(machine / "own-rabbitmq") as broker:
        yield broker


@pytest.fixture
async def topology(rabbitmq: str) -> AsyncIterator[Topology]:
    """Return names in the shared broker that no other test uses."""
    own = Topology(f"test-{uuid4().hex}")
    yield own
    await remove(own, rabbitmq)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and whole systems, which need the machine for themselves, in one too."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent)
        group = "systems" if place.parts[0] in {"faults", "journeys"} else str(place)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what tests an installed RabbitMQ where none is and none can be."""
    return (collection_path.as_posix().endswith(NATIVE) and not is_native()) or None


def _database_url(server: EmbeddedPostgres, name: str) -> str:
    return server.url.rsplit("/", 1)[0] + f"/{name}"


async def _drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Drop it, as soon as none of the server's own processes is at work in it: those nobody but they may end."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await _execute(server.url, f"drop database {name} with (force)")
            except asyncpg.InsufficientPrivilegeError:
                await asyncio.sleep(0.1)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
