"""Broker subscription: events as RabbitMQ delivers them, and as the log tells them while the broker does not.

Messages of the process's share of the queues become slices. So do heartbeats: they tell every part of a queue how far
the log goes, and so reveal the loss of a last message. Parts of a queue that says nothing are read from the log until
it speaks again; whatever arrives twice that way is dropped by the projector.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from uuid import UUID

import asyncpg
import prometheus_client as prometheus
import structlog

from adapters.broker.intake import Arrival, Intake
from adapters.broker.messages import Heartbeat
from adapters.broker.topology import parts_of
from adapters.stopping import end, finish
from eventstore.connections import LOST
from eventstore.reader import LogReader, Wakeups
from workers.share import Share
from workers.subscription import BATCH, HEARTBEAT, Delivery, Slice, TailingSubscription

PATIENCE = 3.0
"""Seconds of a queue's silence, three heartbeats, after which its parts are read from the log."""
AGAIN = 0.5
"""Seconds until Postgres is asked again after it was away."""

_FOREIGN = prometheus.Counter("afterschool_projector_foreign_slices", "What was delivered of another log than ours.")
_TAILED = prometheus.Gauge("afterschool_projector_tailed_parts", "Parts read from the log, for want of messages.")

logger = structlog.get_logger()

Cursors = Callable[[], Awaitable[Mapping[int, int]]]


class BrokerSubscription:
    """What the queues of this process's share deliver."""

    def __init__(
        self,
        intake: Intake,
        share: Share,
        reader: LogReader,
        cursors: Cursors,
        wakeups: Wakeups | None = None,
        *,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
        taken_over: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what waits for the position that each part has reached; and whom to tell of queues taken over."""
        self._intake = intake
        self._share = share
        self._reader = reader
        self._tail = _Tail(reader, cursors, wakeups, heartbeat, intake.news)
        self._heartbeat = heartbeat
        self._patience = patience
        self._taken_over = taken_over
        self._heads: dict[int, UUID] = {}
        """The event that each queue's last heartbeat named: all its parts were told up to there."""

    async def deliveries(self) -> AsyncGenerator[Delivery]:
        """Yield what arrives; the one before is acknowledged when the next is asked for."""
        working = [asyncio.create_task(self._intake.run()), asyncio.create_task(self._keep_share())]
        try:
            while True:
                yield Delivery(await self._next(working))
                await self._intake.acknowledge()
        finally:
            await finish(self._leave(working))

    async def _leave(self, working: Collection["asyncio.Task[None]"]) -> None:
        for task in working:
            await end(task)
        await self._tail.stop()
        await self._share.leave()

    async def _next(self, working: Collection["asyncio.Task[None]"]) -> list[Slice]:
        until = time.monotonic() + self._heartbeat
        while True:
            for task in working:
                if task.done():
                    task.result()
            self._intake.news.clear()
            arrived = await self._intake.take(BATCH)
            slices = await self._vouched([part for arrival in arrived for part in self._slices(arrival)])
            slices += await self._tail.read(self._unheard_parts())
            left = until - time.monotonic()
            if slices or left <= 0:
                return slices
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._intake.news.wait()

    def _unheard_parts(self) -> frozenset[int]:
        queues = self._intake.unheard(self._patience)
        return frozenset(part for queue in queues for part in parts_of(queue, self._share.count))

    def _slices(self, arrival: Arrival) -> Iterator[Slice]:
        said = arrival.said
        if not isinstance(said, Heartbeat):
            last = said.records[-1]
            yield Slice(said.part, said.prev, said.records, last.position, last.event_id)
        elif self._heads.get(arrival.queue) != said.head_event:
            self._heads[arrival.queue] = said.head_event
            for part in parts_of(arrival.queue, self._share.count):
                yield Slice(part, min(said.last[part], said.head), [], said.head, said.head_event)

    async def _vouched(self, slices: list[Slice]) -> list[Slice]:
        """Leave out what tells of another log: one that was restored to an earlier state, its broker left as it was."""
        while slices:
            try:
                log = await self._reader.event_ids({part.position for part in slices if part.position})
            except (*LOST, asyncpg.PostgresError) as error:
                logger.warning("log_unreachable", error=type(error).__name__)
                await asyncio.sleep(AGAIN)
                continue
            own = [part for part in slices if not part.position or log.get(part.position) == part.event_id]
            _FOREIGN.inc(len(slices) - len(own))
            return own
        return []

    async def _keep_share(self) -> None:
        while True:
            before = self._share.queues
            try:
                await self._share.renew()
            except (*LOST, asyncpg.PostgresError) as error:
                logger.warning("share_not_renewed", error=type(error).__name__)
            if before != self._share.queues:
                self._heads.clear()
                if self._share.queues - before:
                    self._taken_over()
                logger.info("share_changed", queues=sorted(self._share.queues), of=self._share.count)
            await asyncio.sleep(self._share.seconds / 4)


class _Tail:
    """Reads some parts of the log while nobody else tells of them."""

    def __init__(
        self, reader: LogReader, cursors: Cursors, wakeups: Wakeups | None, heartbeat: float, news: asyncio.Event
    ) -> None:
        self._reader = reader
        self._cursors = cursors
        self._wakeups = wakeups
        self._heartbeat = heartbeat
        self._news = news
        self._parts = frozenset[int]()
        self._task: asyncio.Task[None] | None = None
        self._read: asyncio.Queue[Delivery] = asyncio.Queue(maxsize=1)

    async def read(self, parts: frozenset[int]) -> list[Slice]:
        """Return what was read by now for these parts after their cursors, and after what was returned before."""
        if parts != self._parts:
            await self.stop()
            logger.log(30 if parts else 20, "parts_read_from_the_log", parts=len(parts))
            _TAILED.set(len(parts))
            self._parts, self._read = parts, asyncio.Queue(maxsize=1)
            self._task = asyncio.create_task(self._follow(parts)) if parts else None
        if self._task and self._task.done():
            self._task.result()
        return [] if self._read.empty() else self._read.get_nowait().slices

    async def stop(self) -> None:
        """Stop reading."""
        if self._task:
            await end(self._task)

    async def _follow(self, parts: frozenset[int]) -> None:
        cursors = await self._cursors()
        own = {part: cursors[part] for part in parts}
        subscription = TailingSubscription(self._reader, own, self._wakeups, heartbeat=self._heartbeat)
        async for delivery in subscription.deliveries():
            await self._read.put(delivery)
            self._news.set()
