"""Embedded RabbitMQ: an installed server's binaries as a private node, on loopback, its data in one directory."""

import asyncio
import os
import secrets
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from adapters.broker.connection import connect
from adapters.embedded.durable import write_secret
from adapters.embedded.loopback import free_port, is_free
from adapters.embedded.process import DidNotStart, end, end_leftover, spawn

_USER = "afterschool"
_NODE = "afterschool@localhost"
_PACKAGED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What Debian and Red Hat start behind a wrapper of theirs, which insists on their user and their directories."""


class RabbitMQNotInstalled(DidNotStart):
    """RabbitMQ is not installed: `apt-get install rabbitmq-server`, or name one by AFTERSCHOOL_RABBITMQ_URL."""


def find_rabbitmq() -> Path | None:
    """Return the program of an installed server, or None."""
    if _PACKAGED.exists():
        return _PACKAGED
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def require_rabbitmq() -> tuple[Path, Path]:
    """Return the programs of the server and of what knows its name (epmd), or raise `RabbitMQNotInstalled`."""
    server, epmd = find_rabbitmq(), _find_epmd()
    if server is None or epmd is None:
        raise RabbitMQNotInstalled(str(RabbitMQNotInstalled.__doc__))
    return server, epmd


class EmbeddedRabbitMQ:
    """One RabbitMQ node for one machine: its own ports, its own Erlang names (epmd), one user behind a random password.

    What it confirmed survives a kill; whoever removes its directory has wiped it.
    """

    name = "rabbitmq"

    def __init__(self, directory: Path, port: int = 0, *, log: Path | None = None) -> None:
        self.port = port
        """Port of 127.0.0.1; 0, or one that is taken, becomes a free one at the first start."""
        self.process: asyncio.subprocess.Process | None = None
        self._directory = directory.absolute()
        self._log = log or directory / "log"
        self._names: asyncio.subprocess.Process | None = None
        self._names_port = 0
        self._started_before = False

    @property
    def url(self) -> str:
        """Address with user and password in it."""
        return f"amqp://{_USER}:{self._secret('password')}@127.0.0.1:{self.port}/"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which the node runs and in which its tools (`rabbitmqctl`) find it."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self._directory),  # where Erlang looks for its cookie
            "RUNNING_UNDER_SYSTEMD": "true",  # or a shell stays between us and the node
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._directory / "data"),
            "RABBITMQ_LOG_BASE": str(self._directory),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
        }

    async def start(self) -> None:
        """Start the node with what it kept; leftovers of this very directory are ended first.

        Raises `RabbitMQNotInstalled`, or `DidNotStart` when it does not answer within 90 seconds.
        """
        server, epmd = require_rabbitmq()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for lock in (self._lock, self._names_lock):
            await end_leftover(lock, signal.SIGTERM)
        if not self._started_before:
            self.port = free_port(self.port)
        await self._start_names(epmd)
        self._configure()
        self.process = await spawn(
            [str(server)],
            lock=self._lock,
            log=self._log,
            environment=self.environment | {"RABBITMQ_DIST_PORT": str(free_port())},
            directory=self._directory,
        )
        await self._answer()
        self._started_before = True

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop the node and what knows its name; a second call does nothing."""
        if self.process is not None and self.process.returncode is None:
            await end(self.process, signal.SIGTERM, seconds)
        if self._names is not None:
            if self._names.returncode is None:
                await end(self._names, signal.SIGTERM, 1.0)
            await self._end_successor()
        self.process = self._names = None

    async def _end_successor(self) -> None:
        """End the epmd that Erlang starts by itself where ours has died: it has no parent and would outlive us."""
        epmd = _find_epmd()
        if epmd is None or is_free(self._names_port):
            return
        killing = await asyncio.create_subprocess_exec(
            *(str(epmd), "-port", str(self._names_port), "-kill"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        with suppress(TimeoutError):
            await asyncio.wait_for(killing.wait(), 2.0)

    @property
    def _lock(self) -> Path:
        return self._directory / "pid"

    @property
    def _names_lock(self) -> Path:
        return self._directory / "epmd-pid"

    def _configure(self) -> None:
        """Write what the node reads; its user is made when the data is, and is the only one."""
        self._secret(".erlang.cookie")
        (self._directory / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        write_secret(
            self._directory / "rabbitmq.conf",
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"default_user = {_USER}\n"
            f"default_pass = {self._secret('password')}\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.console.level = warning\n",
        )

    def _secret(self, name: str) -> str:
        file = self._directory / name
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(32))
        return file.read_text(encoding="utf-8")

    async def _start_names(self, epmd: Path) -> None:
        """Start an epmd of our own: the daemon that Erlang would start has no parent and outlives everything."""
        self._names_port = free_port()
        self._names = await spawn(
            [str(epmd), "-port", str(self._names_port), "-address", "127.0.0.1"],
            lock=self._names_lock,
            log=self._log,
            directory=self._directory,
        )
        while is_free(self._names_port):
            if self._names.returncode is not None:
                raise DidNotStart(f"rabbitmq did not start: epmd ended; {self._log} says why")
            await asyncio.sleep(0.02)

    async def _answer(self, seconds: float = 90.0) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.process is not None and self.process.returncode is None and loop.time() < until:
            if is_free(self.port):
                await asyncio.sleep(0.1)
                continue
            try:
                connection = await connect(self.url, name="afterschool start")
            except OSError:
                await asyncio.sleep(0.1)
            else:
                await connection.close()
                return
        await self.stop()
        raise DidNotStart(f"rabbitmq did not start; {self._log} says why")


def _find_epmd() -> Path | None:
    found = shutil.which("epmd") or next(Path("/usr").glob("lib*/erlang/erts-*/bin/epmd"), None)
    return Path(found) if found else None
