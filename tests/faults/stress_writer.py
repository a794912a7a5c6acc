"""Stress writer: one process that appends at random until it is told to stop, and writes down every answer it got.

    python -m tests.faults.stress_writer DSN ANSWERS SEED EVENTS

Once the log holds EVENTS events it only trickles on, so that the others get their turn.

Each line of ANSWERS is a command's id and `sent` before it is sent, and `first last` or `refused` once it is answered.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from uuid import UUID

import asyncpg
import structlog

from domain.errors import LogUnavailable
from eventstore.append import Accepted, Append, Known, Stale
from eventstore.appender import Appender
from eventstore.connections import APP, LOST, create_pool
from tests.eventstore.appends import END, an_append

TASKS = 50
PRACTICES, USERS = 60, 40
REPEATED, EXACT, POISONED = 0.005, 0.01, 0.0005
"""Shares of the commands: sent again, competing for a version, and impossible to store."""
CALL_TIMEOUT = 0.5
"""Shorter than the longest lock that the test holds, so that backends finish late."""


class Writer:
    """The tasks of one process, which share an appender and what they believe of the streams."""

    def __init__(self, appender: Appender, pool: asyncpg.Pool, answers: Path, seed: int, enough: int) -> None:
        self.stopping = False
        self._pause = 0.0
        self._enough = enough
        self._appender = appender
        self._pool = pool
        self._answers = os.open(answers, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._random = random.Random(seed)  # noqa: S311  the same commands in every run
        self._believed: dict[str, int] = {}
        self._recent: list[Append] = []

    async def run(self) -> None:
        """Send commands until told to stop."""
        while not self.stopping:
            await self._send(self._next())
            await asyncio.sleep(self._pause)

    def _next(self) -> Append:
        chance = self._random.random()
        if chance < REPEATED and self._recent:
            return self._random.choice(self._recent)
        user = f"user-{self._random.randrange(USERS)}"
        practice = f"practice-{self._random.randrange(PRACTICES)}"
        facts = [(practice, END)] * self._random.randint(1, 15)
        if chance > 1 - POISONED:
            return an_append(*facts, data="poison")
        version = self._believed.get(user, 0)
        if chance < REPEATED + EXACT:
            return an_append((user, version + 1), (practice, END))
        command = an_append(*facts, guards=[(user, version)] if chance < 0.4 else [])
        self._recent = [*self._recent[-50:], command]
        return command

    async def _send(self, append: Append) -> None:
        self._write_down(append.command_id, "sent")
        while True:
            try:
                verdict = await self._appender.append(append)
            except LogUnavailable:
                continue
            except asyncpg.InvalidTextRepresentationError:
                return self._write_down(append.command_id, "refused")
            break
        if isinstance(verdict, Accepted | Known):
            self._write_down(append.command_id, f"{verdict.first} {verdict.last}")
            if verdict.last >= self._enough:
                self._pause = 0.5
            self._believed |= {stream: version + 1 for stream, version in append.heads if stream in written(append)}
        elif isinstance(verdict, Stale):
            self._write_down(append.command_id, "refused")
            self._recent = [command for command in self._recent if command is not append]
            await self._look_up(append)
        return None

    async def _look_up(self, append: Append) -> None:
        for stream, _ in append.heads:
            try:
                self._believed[stream] = await self._pool.fetchval("select stream_head($1)", stream)
            except LOST:
                await asyncio.sleep(0.1)

    def _write_down(self, command_id: UUID, answer: str) -> None:
        os.write(self._answers, f"{command_id} {answer}\n".encode())


def written(append: Append) -> set[str]:
    """Return the streams that a command writes."""
    return {row.stream for row in append.rows}


async def main(dsn: str, answers: Path, seed: int, enough: int) -> None:
    """Append until SIGTERM; if whoever started us is gone, end at once."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    pool = await create_pool(dsn, APP, size=2)
    appender = Appender(dsn, call_timeout=CALL_TIMEOUT, deadline=5)
    await appender.start()
    writer = Writer(appender, pool, answers, seed, enough)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: setattr(writer, "stopping", True))
    loop.add_reader(sys.stdin, lambda: os._exit(1))
    await asyncio.gather(*(writer.run() for _ in range(TASKS)))
    await appender.stop()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
