"""Live: the streams that are open, and the one look at the log that wakes those whose student has news.

A stream keeps nothing but its position. It reads its student's events from the log itself, so nothing is queued for it,
and what it misses while it sleeps or is away it finds where it left off.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.errors import StreamsTaken, TooManyStreams
from domain.errors import LogBroken
from eventstore.connections import LOST
from eventstore.reader import PAGE, POLL, Wakeups, assert_contiguous

REST = 0.02
"""Seconds between two looks at a log that grows all the time."""
PAUSE = 0.5
"""Seconds after which a log that could not be reached is asked again."""

STOPPING = "server-stopping"
UNAVAILABLE = "unavailable"
FAILED = "failed"

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a connection is kept: seconds between heartbeats, and seconds for which a reader may take nothing."""

    heartbeat: float = 10.0
    patience: float = 30.0


PACE = Pace()


class Stream:
    """One open stream: whose account holds it, whose events it tells, and, once it is over, why."""

    def __init__(self, account: UUID, student_id: UUID) -> None:
        self.account = account
        self.student_id = student_id
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self.wake()  # to a new stream everything behind its position is news

    def wake(self) -> None:
        """Tell that the log may hold something new about the student."""
        self._news.set()

    def end(self, reason: str) -> None:
        """End the stream; the first reason stands."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def wait_for_news(self, seconds: float) -> bool:
        """Return True once the log has grown since the last wait, False after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        news = self._news.is_set()
        self._news.clear()
        return news


class Row(NamedTuple):
    """Where an event stands, and whom it is about."""

    position: int
    subject: UUID | None


class Streams:
    """All streams of this process, at most `most` of them and `most_of_one` of one account."""

    def __init__(self, *, most: int, most_of_one: int, pace: Pace, registry: CollectorRegistry) -> None:
        self.pace = pace
        self.metrics = StreamMetrics(registry)
        self._most = most
        self._most_of_one = most_of_one
        self._open: set[Stream] = set()
        self._of_student: defaultdict[UUID, set[Stream]] = defaultdict(set)
        self._somebody = asyncio.Event()
        self._stopping = False

    def open(self, account: UUID, student_id: UUID) -> Stream:
        """Return a new stream, to be closed by the caller; raises `TooManyStreams` and `StreamsTaken`."""
        if sum(stream.account == account for stream in self._open) >= self._most_of_one:
            raise TooManyStreams
        if self._stopping or len(self._open) >= self._most:
            raise StreamsTaken
        stream = Stream(account, student_id)
        self._open.add(stream)
        self._of_student[student_id].add(stream)
        self._somebody.set()
        self.metrics.open.inc()
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream that is over."""
        stream.end(FAILED)
        self._open.remove(stream)
        self._of_student[stream.student_id].remove(stream)
        if not self._of_student[stream.student_id]:
            del self._of_student[stream.student_id]
        if not self._open:
            self._somebody.clear()
        self.metrics.open.dec()
        self.metrics.ended.labels(stream.ended.result()).inc()

    def end(self) -> None:
        """End every stream, and open no more: the process is about to stop."""
        self._stopping = True
        self._end_all(STOPPING)

    async def follow_log(self, pool: asyncpg.Pool, wakeups: Wakeups) -> None:
        """Wake the streams whose student has news, for ever; nobody reads the log while there are none."""
        await self._somebody.wait()
        wakeups.start()
        try:
            while True:
                await self._somebody.wait()
                try:
                    await self._wake_while_needed(pool, wakeups)
                except LogBroken as error:
                    logger.error("log_broken", **error.facts)  # noqa: TRY400  the facts say all
                    self._end_all(UNAVAILABLE)
                    await asyncio.sleep(PAUSE)
        finally:
            await wakeups.stop()

    async def _wake_while_needed(self, pool: asyncpg.Pool, wakeups: Wakeups) -> None:
        after = None
        while self._open:
            try:
                after = await self._wake_behind(pool, after)
            except (*LOST, asyncpg.PostgresError) as error:
                logger.warning("log_unreachable", error=type(error).__name__)
                await asyncio.sleep(PAUSE)
            else:
                await asyncio.sleep(REST)
                await wakeups.wait(POLL)

    async def _wake_behind(self, pool: asyncpg.Pool, after: int | None) -> int:
        """Wake the streams of everybody with events behind a position, or all; return up to where the log was seen."""
        if after is None:
            head: int = await pool.fetchval("select coalesce(max(position), 0) from events")
            for stream in self._open:  # one may have read its student's events before the head was known
                stream.wake()
            return head
        query = "select position, subject from events where position > $1 order by position limit $2"
        rows = [Row(*row) for row in await pool.fetch(query, after, PAGE)]
        assert_contiguous(after, rows)
        for subject in self._of_student.keys() & {row.subject for row in rows}:
            for stream in self._of_student[subject]:
                stream.wake()
        return rows[-1].position if rows else after

    def _end_all(self, reason: str) -> None:
        for stream in self._open:
            stream.end(reason)


class StreamMetrics:
    """Counts streams and what they tell; nothing that names a person is a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("afterschool_live_streams", "Live streams that are open", registry=registry)
        self.sent = Counter("afterschool_live_events", "Events that live streams have sent", registry=registry)
        self.ended = Counter(
            "afterschool_live_streams_ended", "Live streams that are over, by reason", ["reason"], registry=registry
        )
