"""System: one `afterschool up` of real processes, and the ways to hurt it."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.settings import read_environment_file
from tests.workers.running import eventually

_READY = "Afterschool is ready: "
_WAITING = "select exists (select from events join read.cursors using (part) where events.position > cursors.position)"


class System:
    """A machine under its supervisor, which starts again whatever is killed."""

    def __init__(self, directory: Path) -> None:
        self.said: list[str] = []
        self.url = ""
        self._directory = directory
        self._up: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERSCHOOL_")}
        self._up = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "up", "--port", "0", "--data-dir", str(self._directory)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )
        self._listening = asyncio.create_task(self._listen())
        await asyncio.wait(
            {self._listening, ready := asyncio.create_task(self._ready.wait())}, return_when="FIRST_COMPLETED"
        )
        ready.cancel()
        assert self.url, "".join(self.said)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._up
        assert self._listening
        with suppress(ProcessLookupError):
            self._up.terminate()
        await self._up.wait()
        await self._listening

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def environment(self) -> dict[str, str]:
        """Return where everything is, as other commands on this machine are told."""
        return read_environment_file(self._directory / "environment")

    async def connect(self) -> asyncpg.Connection:
        """Open a connection of the database's owner."""
        return await asyncpg.connect(self.environment["AFTERSCHOOL_DATABASE_URL"])

    def redis(self) -> Redis:
        """Return a client of the machine's Valkey."""
        return Redis.from_url(self.environment["AFTERSCHOOL_REDIS_URL"])

    def kill(self, part: str) -> None:
        """End a part and all its processes in the same instant, if it lives."""
        self._signal(part, signal.SIGKILL)

    async def freeze(self, part: str, seconds: float) -> None:
        """Keep a part, with all its processes, from running for a while."""
        self._signal(part, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(part, signal.SIGCONT)

    async def flush(self) -> None:
        """Forget everything in Valkey, if it is there."""
        async with self.redis() as redis:
            with suppress(RedisError):
                await redis.flushall()

    async def settle(self) -> None:
        """Wait until everything is up again and every event is folded, which needs nobody's help."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            await eventually(lambda: _is_settled(self, http), within=60)

    def _signal(self, part: str, number: signal.Signals) -> None:
        own = self._directory / part / "pid" if part in {"postgres", "valkey"} else self._directory / "run" / part
        for process in _with_children(int(own.read_text(encoding="utf-8"))):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    async def _listen(self) -> None:
        assert self._up
        assert self._up.stdout
        async for line in self._up.stdout:
            self.said.append(line.decode())
            if self.said[-1].startswith(_READY):
                self.url = self.said[-1].removeprefix(_READY).strip().removesuffix("/docs")
                self._ready.set()


def _with_children(process: int) -> list[int]:
    """Return a process and its children: those of Postgres are in no group of their parent's."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [process, *map(int, children.split())]


async def _is_settled(system: System, http: httpx.AsyncClient) -> bool:
    try:
        ready = (await http.get("/health/ready")).json()
        connection = await system.connect()
    except (httpx.TransportError, OSError, asyncpg.CannotConnectNowError):
        return False
    try:
        waiting: bool = await connection.fetchval(_WAITING)
    finally:
        await connection.close()
    return not waiting and ready == {"status": "ready", "degraded": []}
