"""Read ledger: notes who reads a child's data without making them wait, and lets nobody read what it cannot note.

What was noted is written within a second, in one statement for all of it; a process that is killed loses that second at
most. While Postgres is away it is kept in memory, up to a limit.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import prometheus_client as prometheus
import structlog

from adapters.stopping import end
from domain.errors import ReadsUnrecorded
from eventstore.connections import LOST

PACE = 0.5
"""Seconds between two writes."""
PAUSE = 0.2
"""Seconds after which a write that failed is tried again."""
PATIENCE = 5.0
"""Seconds that a write may take."""
FLUSH_SECONDS = 1.0
"""Seconds that the last writes may take when the process stops."""
AT_ONCE = 5000
"""Reads in one statement."""
MOST = 100_000
"""Reads that may wait; some 30 MB."""

_RECORDED = prometheus.Counter("afterschool_reads_recorded", "Reads of children's data that were written down.")
_WAITING = prometheus.Gauge("afterschool_reads_waiting", "Reads of children's data that wait to be written down.")
_REFUSED = prometheus.Counter("afterschool_reads_refused", "Reads refused because they could not be recorded.")

logger = structlog.get_logger()


class _Noted(NamedTuple):
    at: datetime
    actor: UUID
    role: str
    student: UUID
    what: str
    why: str


class ReadLedger:
    """The reads of one process on their way to the table `reads`. `start` it once; `stop` writes what waits."""

    def __init__(self, pool: asyncpg.Pool, *, most: int = MOST) -> None:
        self._pool = pool
        self._most = most
        self.pace = PACE
        self._waiting: list[_Noted] = []
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="read ledger")

    async def stop(self) -> None:
        """Write what waits, for a second at most; nothing is noted any more, and so nothing read."""
        self._stopping.set()
        if self._task:
            await asyncio.wait({self._task}, timeout=FLUSH_SECONDS)
            await end(self._task)
        if self._waiting:
            logger.error("reads_lost", reads=len(self._waiting))

    def note(self, *, actor: UUID, role: str, student: UUID, what: str, why: str) -> None:
        """Note that this person, in this role, reads of this student now; raises `ReadsUnrecorded` when too many wait.

        `what` is the operation, `why` what allows it.
        """
        if len(self._waiting) >= self._most or self._stopping.is_set():
            _REFUSED.inc()
            raise ReadsUnrecorded
        self._waiting.append(_Noted(datetime.now(UTC), actor, role, student, what, why))

    async def _run(self) -> None:
        while self._waiting or not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pace):
                    await self._stopping.wait()
            while self._waiting:
                await self._write()
            _WAITING.set(0)

    async def _write(self) -> None:
        """Write the next batch, again and again until Postgres says that it is there."""
        batch, number, is_away = self._waiting[:AT_ONCE], uuid4(), False
        while True:
            _WAITING.set(len(self._waiting))
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._pool.execute(
                        "select note_reads($1, $2, $3, $4, $5, $6, $7)", number, *zip(*batch, strict=True)
                    )
                break
            except (*LOST, asyncpg.PostgresError) as error:
                if not is_away:
                    logger.warning("reads_not_recorded", error=type(error).__name__)
                is_away = True
                await asyncio.sleep(PAUSE)
        del self._waiting[: len(batch)]
        _RECORDED.inc(len(batch))
