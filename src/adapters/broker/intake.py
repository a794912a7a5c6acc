"""Intake: what arrives from some queues of a group, over a connection that is made anew whenever it breaks.

Nothing is taken out of a queue before it is acknowledged; what was not arrives again, here or at another process.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import prometheus_client as prometheus
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from adapters.broker.connection import BROKEN, FAREWELL, TIMEOUT, BrokerLost, Connect, cancelled_by_us_only, connected
from adapters.broker.messages import Batch, Heartbeat, Unreadable, read_message
from adapters.broker.outbox import BATCH_EVENTS
from adapters.broker.topology import Topology

PREFETCH = 50
"""Messages of one queue that may wait here."""
SILENCE = 10.0
"""Seconds after which a queue that says nothing, not even a heartbeat, is looked after."""
LOOK = 0.25
"""Seconds between looks at which queues are wanted, and whether they still speak."""
PAUSE = 0.5
"""Seconds until a broken connection is made anew."""
DECLARING = 20.0

_MESSAGES = prometheus.Counter("afterschool_projector_messages", "Messages received from the broker.")
_UNREADABLE = prometheus.Counter("afterschool_projector_unreadable_messages", "Messages set aside as dead letters.")
_RECONNECTS = prometheus.Counter("afterschool_projector_reconnects", "Broken connections to the broker.", ["error"])
_SILENT = prometheus.Gauge("afterschool_projector_silent_seconds", "Seconds since the quietest queue said anything.")
_QUEUES = prometheus.Gauge("afterschool_projector_queues", "Queues that this process consumes.")

logger = structlog.get_logger()


class Arrival(NamedTuple):
    """A message, and the number of the queue that it came from."""

    queue: int
    said: Batch | Heartbeat


class Intake:
    """Consumes the wanted queues of a group."""

    def __init__(
        self,
        connect: Connect,
        group: str,
        count: int,
        wanted: Callable[[], Collection[int]],
        *,
        topology: Topology | None = None,
        silence: float = SILENCE,
    ) -> None:
        """Take how many queues the group has, and what tells the numbers of those to be consumed now."""
        self.count = count
        self.news = asyncio.Event()
        """Something arrived."""
        self._connect = connect
        self._group = group
        self._wanted = wanted
        self._topology = topology or Topology()
        self._silence = silence
        self._consumers: dict[int, str] = {}
        self._heard: dict[int, float] = {}
        """When each wanted queue last said anything, or was first wanted."""
        self._looked_after: dict[int, float] = {}
        self._arrived: deque[tuple[int, AbstractIncomingMessage]] = deque()
        self._taken: AbstractIncomingMessage | None = None

    async def run(self) -> None:
        """Consume for ever; whatever breaks, connect again and declare everything again."""
        while True:
            try:
                with cancelled_by_us_only():
                    async with connected(self._connect) as connection:
                        await self._consume(connection)
            except Exception as error:  # noqa: BLE001  the outermost loop: nothing may end it
                _RECONNECTS.labels(type(error).__name__).inc()
                logger.log(30 if isinstance(error, BROKEN) else 40, "broker_lost", error=type(error).__name__)
            self._consumers.clear()
            self._arrived.clear()
            _QUEUES.set(0)
            await asyncio.sleep(PAUSE)

    async def take(self, events: int) -> list[Arrival]:
        """Return what arrived, so many events at most; what cannot be read goes to the dead letters."""
        taken: list[Arrival] = []
        left = events
        while self._arrived and left >= BATCH_EVENTS:
            queue, message = self._arrived.popleft()
            try:
                arrival = Arrival(queue, read_message(message))
            except Unreadable:
                _UNREADABLE.inc()
                logger.error("message_unreadable", queue=queue, size=len(message.body))  # noqa: TRY400  it tells nothing
                await _tell_broker(message.reject(requeue=False))
                continue
            left -= len(arrival.said.records) if isinstance(arrival.said, Batch) else 0
            taken.append(arrival)
            self._taken = message
        return taken

    async def acknowledge(self) -> None:
        """Let the broker forget what was taken; if it can't be told, it sends it again."""
        if message := self._taken:
            self._taken = None
            await _tell_broker(message.ack(multiple=True))

    def unheard(self, seconds: float) -> frozenset[int]:
        """Return the wanted queues that have said nothing for so long, be it for want of a connection."""
        now = time.monotonic()
        wanted = frozenset(self._wanted())
        self._heard = {queue: self._heard.get(queue, now) for queue in wanted}
        _SILENT.set(now - min(self._heard.values(), default=now))
        return frozenset(queue for queue, heard in self._heard.items() if now - heard > seconds)

    async def _consume(self, connection: AbstractConnection) -> None:
        lost = asyncio.Event()
        async with asyncio.timeout(DECLARING):
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: lost.set())
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _: lost.set())
            await channel.set_qos(prefetch_count=PREFETCH)
            queues = await self._topology.declare_queues(channel, self._group, self.count)
        while not lost.is_set():
            await self._consume_what_is_wanted(queues)
            await self._look_after_the_silent(connection)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await lost.wait()
        raise BrokerLost

    async def _consume_what_is_wanted(self, queues: list[AbstractQueue]) -> None:
        wanted = frozenset(self._wanted())
        for number in wanted - self._consumers.keys():
            take_in = partial(self._take_in, number)
            self._consumers[number] = await queues[number].consume(take_in, timeout=TIMEOUT)
        for number in self._consumers.keys() - wanted:
            await queues[number].cancel(self._consumers.pop(number), timeout=TIMEOUT)
        _QUEUES.set(len(self._consumers))

    async def _take_in(self, number: int, message: AbstractIncomingMessage) -> None:
        _MESSAGES.inc()
        self._heard[number] = time.monotonic()
        self._arrived.append((number, message))
        self.news.set()

    async def _look_after_the_silent(self, connection: AbstractConnection) -> None:
        """See that a queue that says nothing exists and is consumed: then it is the relay that says nothing."""
        now = time.monotonic()
        for number in self.unheard(self._silence) & self._consumers.keys():
            if now - self._looked_after.get(number, 0) > self._silence:
                self._looked_after[number] = now
                async with asyncio.timeout(TIMEOUT):
                    channel = await connection.channel()
                    if not await self._is_consumed(channel, number):
                        raise BrokerLost
                    await channel.close()

    async def _is_consumed(self, channel: AbstractChannel, number: int) -> bool:
        name = self._topology.queue_names(self._group, self.count)[number]
        return bool((await channel.declare_queue(name, passive=True)).declaration_result.consumer_count)


async def _tell_broker(word: Coroutine[None, None, None]) -> None:
    """Say something to a broker that may be gone by now."""
    with suppress(*BROKEN), cancelled_by_us_only():
        async with asyncio.timeout(FAREWELL):
            await word
