"""Machine: Postgres, Valkey, the auth stand-in, the projector and the API as one system under one supervisor.

With a broker, RabbitMQ and the relay as well; without one, nothing of them is loaded.
"""

import asyncio
import os
import shlex
import signal
import sys
from collections import ChainMap
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import httpx
import typer

from adapters.embedded.keys import ensure_keys
from adapters.embedded.logs import fresh_log
from adapters.embedded.loopback import free_port, is_free
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.process import DidNotStart, hold
from adapters.embedded.program import Program
from adapters.embedded.supervisor import Part, Supervisor, started
from adapters.embedded.valkey import EmbeddedValkey
from adapters.migrations import migrate
from adapters.settings import PREFIX, data_directory, load_settings, read_environment_file, write_environment_file
from cli.demo_accounts import DemoRefused, demo_accounts_file, ensure_demo_accounts, in_words
from cli.exits import plain_errors

if TYPE_CHECKING:
    from adapters.embedded.rabbitmq import EmbeddedRabbitMQ

_BROKER = {"RABBITMQ_URL", "RABBITMQ_CA_FILE"}
_GIVEN_BROKER = {f"{PREFIX}RABBITMQ_URL", f"{PREFIX}RABBITMQ_URL_FILE"}
_AUTH_IS_UP = "/auth/v1/.well-known/jwks.json"
_API_IS_UP = "/health/ready"
LEDGER = "erasures.jsonl"
_NO_LEDGER = (
    "{0} is missing, which keeps who was erased: put it back from a copy. "
    "If nobody was ever erased here, make it: touch {0}"
)


def run(port: int, metrics_port: int, directory: Path, *, broker: bool = False, starter: bool = True) -> None:
    """Run the machine in this directory until SIGINT, SIGTERM or SIGHUP; a second one is refused there."""
    say(f"  in {directory}")
    with plain_errors():
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        if (held := hold(directory / "lock")) is None:
            raise DidNotStart(f"Afterschool runs in {directory} already: stop it first, or choose another --data-dir.")
        try:
            asyncio.run(_run(Machine(port, metrics_port, directory, broker=broker, starter=starter)))
        finally:
            os.close(held)


async def _run(machine: "Machine") -> None:
    stop = asyncio.Event()
    for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(request, stop.set)
    starting = asyncio.create_task(machine.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
        say("Stopping")
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.wait({starting, stopping})
        await machine.stop()
    say(f"Afterschool has stopped. Its data is in {machine.directory}")


class Machine:
    """The parts of one system and how they find each other."""

    def __init__(
        self, port: int, metrics_port: int, directory: Path, *, broker: bool = False, starter: bool = True
    ) -> None:
        before = read_environment_file(directory / "environment")
        keys = ensure_keys(directory / "keys", data_exists=(directory / "postgres" / "data").exists())
        if (directory / "postgres" / "data").exists() and not (directory / LEDGER).exists():
            raise DidNotStart(_NO_LEDGER.format(directory / LEDGER))
        (directory / "run").mkdir(mode=0o700, exist_ok=True)
        self.directory = directory
        self._has_starter = starter
        self._port = port or free_port()
        self._postgres = EmbeddedPostgres(
            directory / "postgres", _port(before.get(f"{PREFIX}DATABASE_URL")), log=self._log("postgres")
        )
        self._valkey = EmbeddedValkey(
            directory / "valkey", _port(before.get(f"{PREFIX}REDIS_URL")), log=self._log("valkey")
        )
        self._rabbitmq = self._own_rabbitmq(before) if broker and not _GIVEN_BROKER & os.environ.keys() else None
        auth_port = free_port(_port(before.get(f"{PREFIX}SUPABASE_URL")))
        self._metrics_port = metrics_port or free_port(int(before.get(f"{PREFIX}METRICS_PORT", 0)))
        ours = {
            "DATA_DIR": str(directory),
            "HOST": "127.0.0.1",
            "PORT": str(self._port),
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self._metrics_port),
            "ERASURE_LEDGER": str(directory.resolve() / LEDGER),
            "SUPABASE_URL": f"http://127.0.0.1:{auth_port}",
            **{f"{name.upper()}_FILE": str(file) for name, file in keys.items()},
        }
        passed_on = _BROKER if broker and not self._rabbitmq else set()
        self.environment = _inherited({*ours, *_BROKER} - passed_on) | {
            f"{PREFIX}{name}": value for name, value in ours.items()
        }
        self._auth = self._program("auth", ["adapters.embedded.auth"], auth_port, _AUTH_IS_UP)
        self._api = self._program("api", ["cli.main", "serve"], self._port, _API_IS_UP)
        self._metrics_ports = {"api": self._metrics_port}
        self._servers: list[Part] = [self._postgres, self._valkey, *([self._rabbitmq] if self._rabbitmq else [])]
        commands = {"projector": "project", "housekeeper": "housekeep"} | ({"relay": "relay"} if broker else {})
        self._workers: list[Part] = [self._auth, *(self._worker(name, run) for name, run in commands.items())]
        self._supervisor = Supervisor([(2.0, self._servers), (0.8, self._workers), (1.8, (self._api,))], say)

    async def start(self) -> None:
        """Bring everything up and say where it is. Raises `DidNotStart`, `SettingsInvalid` or `MigrationsRefused`."""
        await self._api.end_leftover()
        if not is_free(self._port):
            raise DidNotStart(f"Another program listens on port {self._port}; choose another one with --port.")
        await self._supervisor.start(*self._servers)
        for note in self._postgres.notes:
            say(f"  ({note})")
        self._publish_addresses()
        load_settings(self.environment)
        await self._migrate()
        async with self._stocking():
            await self._supervisor.start(*self._workers, self._api)
        await self._invite()
        ports = ", ".join(f"{port} ({name})" for name, port in self._metrics_ports.items())
        say(f"Logs: {self.directory / 'logs'}   Metrics: port {ports}")
        command = _command(self.directory)
        say(f"Status: {command} status   Everything else: {command} --help   Stop: Ctrl-C")
        say(f"Afterschool is ready: http://127.0.0.1:{self._port}/docs")

    async def stop(self) -> None:
        """Stop whatever is up, what serves others last."""
        await self._supervisor.stop()

    async def _migrate(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        applied = await migrate(self._postgres.url)
        say(started("migrations", f"{len(applied)} applied", loop.time() - began))

    @asynccontextmanager
    async def _stocking(self) -> AsyncIterator[None]:
        """Meanwhile fill a bank that has no questions with the starter bank; a system without it is up all the same."""
        if not self._has_starter or await _has_questions(self._postgres.url):
            yield
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        importing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli.main", "questions", "starter"),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield
            told, trouble = await importing.communicate()
        finally:
            if importing.returncode is None:
                importing.kill()
                await importing.wait()
        if importing.returncode:
            say(f"  (no starter questions: {trouble.decode().strip().rpartition(chr(10))[2]})")
        else:
            say(started("questions", told.decode().strip(), loop.time() - began))

    async def _invite(self) -> None:
        """Make the demo accounts and show them, at the first start; a system without them is up all the same."""
        is_first = not demo_accounts_file(self.directory).exists()
        try:
            accounts = await ensure_demo_accounts(f"http://127.0.0.1:{self._port}", self.directory)
        except (DemoRefused, httpx.TransportError) as error:
            say(f"  (no demo accounts: {error})")
            return
        if is_first:
            command = _command(self.directory)
            say(f"Demo accounts, shown again by {command} demo accounts:\n{indent(in_words(accounts), '  ')}")

    def _publish_addresses(self) -> None:
        """Tell the programs started from now on, and other commands run in this place, where things are."""
        self.environment[f"{PREFIX}DATABASE_URL"] = self._postgres.url
        self.environment[f"{PREFIX}REDIS_URL"] = self._valkey.url
        if self._rabbitmq:
            self.environment[f"{PREFIX}RABBITMQ_URL"] = self._rabbitmq.url
        settings = {name: value for name, value in self.environment.items() if name.startswith(PREFIX)}
        write_environment_file(self.directory / "environment", settings)

    def _own_rabbitmq(self, before: Mapping[str, str]) -> "EmbeddedRabbitMQ":
        from adapters.embedded.rabbitmq import EmbeddedRabbitMQ, require_rabbitmq  # noqa: PLC0415  only with a broker

        require_rabbitmq()
        port = _port(before.get(f"{PREFIX}RABBITMQ_URL"))
        return EmbeddedRabbitMQ(self.directory / "rabbitmq", port, log=self._log("rabbitmq"))

    def _worker(self, name: str, command: str) -> Program:
        """Return a worker, with metrics on the next free port."""
        port = self._metrics_ports[name] = free_port(max(self._metrics_ports.values()) + 1)
        own = ChainMap({f"{PREFIX}METRICS_PORT": str(port)}, self.environment)
        return self._program(name, ["cli.main", command], environment=own)

    def _program(
        self,
        name: str,
        module: list[str],
        port: int = 0,
        path: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            name,
            [sys.executable, "-P", "-m", *module],
            lock=self.directory / "run" / name,
            log=self._log(name),
            environment=self.environment if environment is None else environment,
            port=port,
            path=path,
        )

    def _log(self, name: str) -> Path:
        return fresh_log(self.directory / "logs", name)


def say(line: str) -> None:
    """Print a line; a reader that went away is no reason to stop."""
    with suppress(OSError):
        typer.echo(line)


async def _has_questions(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        asked = "select exists (select from events where stream like 'question-%')"
        return bool(await connection.fetchval(asked))
    finally:
        await connection.close()


def _command(directory: Path) -> str:
    """Return what was typed to get here, so that it can be typed again, for this very system."""
    typed = "afterschool" if sys.argv[0].endswith(".py") else sys.argv[0]
    usual = directory.resolve() == data_directory().resolve()
    return typed if usual else f"{PREFIX}DATA_DIR={shlex.quote(str(directory))} {typed}"


def _inherited(ours: Iterable[str]) -> dict[str, str]:
    """Return this process's environment without what this machine decides itself, be it given as value or as file."""
    decided = {"DATABASE_URL", "REDIS_URL", *(name.removesuffix("_FILE") for name in ours)}
    names = {f"{PREFIX}{name}{suffix}" for name in decided for suffix in ("", "_FILE")}
    return {name: value for name, value in os.environ.items() if name not in names}


def _port(url: str | None) -> int:
    return (urlsplit(url).port or 0) if url else 0
