"""Publisher: a page of the log as messages, in order, so many unconfirmed at most; and up to where all is confirmed."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import prometheus_client as prometheus
from aio_pika import Message
from aio_pika.abc import AbstractConnection, AbstractExchange

from adapters.broker.connection import cancelled_by_us_only, is_blocked
from adapters.broker.messages import Heartbeat, batch_message, heartbeat_message
from adapters.broker.outbox import EncodedBatch
from adapters.broker.topology import HEARTBEAT
from eventstore.record import PARTS
from workers.lease import Term

WINDOW = 64
"""Messages that may wait for their confirm."""
PATIENCE = 5.0
"""Seconds that a message may wait for its confirm, unless the broker has said that it takes nothing for now."""

_UNCONFIRMED = prometheus.Gauge("afterschool_relay_unconfirmed_messages", "Messages waiting for their confirm.")
_BLOCKED = prometheus.Gauge("afterschool_relay_blocked", "1 while the broker takes nothing, short of memory or disk.")


@dataclass(slots=True)
class _Page:
    """A page on its way: where it ends, and how many of its messages the broker has not confirmed."""

    position: int
    event_id: UUID
    unconfirmed: int = 1
    """Counts the page itself until all its messages are sent."""


class Publisher:
    """Sends the log through one channel. Any message that is returned, refused or lost ends the task group."""

    def __init__(self, exchange: AbstractExchange, term: Term, group: asyncio.TaskGroup) -> None:
        self._exchange = exchange
        self._epoch = term.epoch
        self._group = group
        self._sent = dict.fromkeys(range(PARTS), term.position)
        self._head, self._head_event = term.position, term.event_id or UUID(int=0)
        self._pages: deque[_Page] = deque()
        self._confirmed: tuple[int, UUID] | None = None
        self._news = asyncio.Event()
        self._window = asyncio.Semaphore(WINDOW)
        self._waiting: dict[asyncio.Task[None], float] = {}
        """Messages without a confirm, oldest first, and since when."""

    async def send_page(self, batches: Sequence[EncodedBatch]) -> None:
        """Send the next page of the log; returns when all of it is sent, not when it is confirmed."""
        last = batches[-1]
        page = _Page(last.position, last.event_id)
        self._pages.append(page)
        for batch in batches:
            await self._window.acquire()
            message = batch_message(batch, prev=self._sent[batch.part], epoch=self._epoch)
            page.unconfirmed += 1
            self._send(message, str(batch.part)).add_done_callback(lambda task: self._settle(page, task))
            self._sent[batch.part] = batch.position
            await asyncio.sleep(0)  # lets it go out while the next one is made
        self._head, self._head_event = last.position, last.event_id
        self._settle(page)

    async def beat(self) -> None:
        """Send a heartbeat and wait for its confirm."""
        last = tuple(self._sent[part] for part in range(PARTS))
        await self._send(heartbeat_message(Heartbeat(self._epoch, self._head, self._head_event, last)), HEARTBEAT)

    async def confirmed(self) -> tuple[int, UUID]:
        """Wait until more of the log is confirmed without a hole, and return where that ends: position and event id."""
        await self._news.wait()
        self._news.clear()
        assert self._confirmed  # noqa: S101  it is the news
        return self._confirmed

    async def watch(self, connection: AbstractConnection) -> None:
        """Raise `TimeoutError` when the broker owes a confirm for too long."""
        unblocked_at = 0.0
        while True:
            now = time.monotonic()
            blocked = await is_blocked(connection)
            _BLOCKED.set(blocked)
            _UNCONFIRMED.set(len(self._waiting))
            unblocked_at = now if blocked else unblocked_at
            if now - max(next(iter(self._waiting.values()), now), unblocked_at) > PATIENCE:
                raise TimeoutError
            await asyncio.sleep(PATIENCE / 10)

    def _send(self, message: Message, routing_key: str) -> asyncio.Task[None]:
        """Send a message behind all sent before: tasks begin in the order they were made."""
        task = self._group.create_task(self._publish(message, routing_key))
        self._waiting[task] = time.monotonic()
        task.add_done_callback(self._waiting.pop)
        return task

    async def _publish(self, message: Message, routing_key: str) -> None:
        with cancelled_by_us_only():
            await self._exchange.publish(message, routing_key, mandatory=True)

    def _settle(self, page: _Page, task: asyncio.Task[None] | None = None) -> None:
        if task:
            self._window.release()
            if task.cancelled() or task.exception():
                return
        page.unconfirmed -= 1
        while self._pages and not self._pages[0].unconfirmed:
            done = self._pages.popleft()
            self._confirmed = done.position, done.event_id
            self._news.set()
