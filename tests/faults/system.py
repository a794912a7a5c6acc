"""System: one `afterschool up` of real processes, with a broker or without, and the ways to hurt it."""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self
from uuid import uuid4

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.embedded.rabbitmq import find_rabbitmq
from adapters.settings import read_environment_file
from eventstore.connections import LOST
from tests.faults.second import Second, ours_apart
from tests.workers.running import eventually

_READY = "Afterschool is ready: "
BEATS = 2
"""Heartbeats that may wait for their acknowledgement: they come and are acknowledged once a second."""
_WAITING = """
select exists (
    select from events join read.cursors using (part)
    where events.position > (select min(position) from read.cursors) and events.position <= $1
        and events.position > cursors.position
) or $2 and $1 > (select position from fanout.relay)
"""


class System:
    """A machine under its supervisor, which starts again whatever is killed.

    With a broker, a second relay and a second projector stand by.
    """

    def __init__(self, directory: Path, *, broker: bool = False) -> None:
        self.said: list[str] = []
        self.url = ""
        self.second: Second | None = None
        self.queues = ""
        """What the broker last said of its queues."""
        self._directory = directory
        self._broker = broker
        self._up: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        options = (
            "--no-starter",
            "--port",
            "0",
            "--data-dir",
            str(self._directory),
            *(("--broker",) if self._broker else ()),
        )
        self._up = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "up", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=ours_apart(),
        )
        self._listening = asyncio.create_task(self._listen())
        await asyncio.wait(
            {self._listening, ready := asyncio.create_task(self._ready.wait())}, return_when="FIRST_COMPLETED"
        )
        ready.cancel()
        assert self.url, "".join(self.said)
        if self._broker:
            self.second = await Second(self._directory, self.environment, self.said).__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.second:
            await self.second.__aexit__()
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

    def stop(self, part: str) -> None:
        """Ask a part to stop; it is started again like one that was killed."""
        self._signal(part, signal.SIGTERM, children=False)

    def wipe_broker(self) -> None:
        """Kill the broker and take away everything that it kept."""
        self.kill("rabbitmq")
        data = self._directory / "rabbitmq" / "data"
        gone = data.rename(self._directory / f"wiped-{uuid4().hex}")
        shutil.rmtree(gone, ignore_errors=True)

    async def dethrone(self) -> None:
        """Let the lease of the leading relay run out at once, so that another takes over while it believes to lead."""

        async def is_done() -> bool:
            return await self._ask("update fanout.relay set until = '-infinity' returning true") is True

        await eventually(is_done)

    async def flush(self) -> None:
        """Forget everything in Valkey, if it is there."""
        async with self.redis() as redis:
            with suppress(RedisError):
                await redis.flushall()

    async def settle(self) -> None:
        """Wait until everything is up again and every event is folded, which needs nobody's help."""
        head = await self.head()
        await eventually(lambda: self.is_well(head), within=60)
        if self._broker:
            await eventually(self._has_read_everything, within=60)

    async def head(self) -> int:
        """Return the last position of the log, as soon as Postgres can be asked."""
        found: list[int] = []

        async def is_known() -> bool:
            answer = await self._ask("select coalesce(max(position), 0) from events")
            found.extend([answer] if isinstance(answer, int) else [])
            return bool(found)

        await eventually(is_known)
        return found[0]

    async def is_well(self, head: int) -> bool:
        """Tell whether everything is up and all up to a position is folded, and confirmed if there is a broker."""
        return await self._ask(_WAITING, head, self._broker) is False and await self._is_ready()

    def last_words(self, lines: int = 12) -> str:
        """Return the ends of all logs."""
        words = []
        for log in sorted((self._directory / "logs").iterdir()):
            words.append(f"--- {log.name}")
            words += [line[:300] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]]
        return "\n".join([*words, self.queues])

    async def _ask(self, query: str, *values: object) -> object:
        """Return one value from Postgres, None while it is not there."""
        try:
            connection = await self.connect()
        except LOST:
            return None
        try:
            return await connection.fetchval(query, *values)
        except LOST:
            return None
        finally:
            connection.terminate()

    async def _is_ready(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=self.url) as http:
                return bool((await http.get("/health/ready")).json() == {"status": "ready", "degraded": []})
        except httpx.TransportError:
            return False

    async def _has_read_everything(self) -> bool:
        """Tell whether every queue of the group has a reader and nothing to be read, a heartbeat under way excepted."""
        columns = ("name", "messages_ready", "messages_unacknowledged", "consumers")
        listed = await self._broker_control("list_queues", *columns, "--quiet")
        queues = [line.split() for line in listed.splitlines() if ".students." in line]
        self.queues = listed
        return bool(queues) and all(
            (int(ready), int(readers)) == (0, 1) and int(unacknowledged) <= BEATS
            for _, ready, unacknowledged, readers in queues
        )

    async def _broker_control(self, *words: str) -> str:
        """Call the broker's own command line where the node runs now; an empty answer if it does not."""
        server = find_rabbitmq()
        assert server
        try:
            environment = Path(f"/proc/{self._process_of('rabbitmq')}/environ").read_bytes()
        except OSError:
            return ""
        process = await asyncio.create_subprocess_exec(
            *(str(server.with_name("rabbitmqctl")), *words),
            env=dict(line.split("=", 1) for line in environment.decode().split("\0") if line),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        answer, _ = await process.communicate()
        return answer.decode()

    def _process_of(self, part: str) -> int:
        own = part in {"postgres", "valkey", "rabbitmq"}
        lock = self._directory / part / "pid" if own else self._directory / "run" / part
        return int(lock.read_text(encoding="utf-8"))

    def _signal(self, part: str, number: signal.Signals, *, children: bool = True) -> None:
        process = self._process_of(part)
        for each in _with_children(process) if children else [process]:
            with suppress(ProcessLookupError):
                os.kill(each, number)

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
