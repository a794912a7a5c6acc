"""Relay: the log to RabbitMQ, in order, confirmed, by one leader at a time.

The log is the outbox. The checkpoint moves behind a page only when the broker has confirmed every message up to its
end. On any doubt the relay starts again from the checkpoint: what arrives twice is harmless, because readers trust
positions and the log, not the broker. See lease.py for who leads, publisher.py for what is sent.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import prometheus_client as prometheus
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from adapters.broker.connection import cancelled_by_us_only
from adapters.broker.messages import Heartbeat, heartbeat_message
from adapters.broker.topology import Topology
from domain.errors import LogBroken
from eventstore.reader import LogReader, Wakeups
from eventstore.record import PARTS
from workers.lease import Lease, Term
from workers.publisher import Publisher

PAGE = 5000
BEAT = 1.0
"""Seconds between heartbeats."""
PAUSE = 1.0
"""Seconds until a standby asks again, and until a leader begins again."""
FAREWELL = 3.0
"""Seconds that closing a connection may take."""

_POSITION = prometheus.Gauge("afterschool_relay_position", "Position up to which the broker has confirmed everything.")
_HEAD = prometheus.Gauge("afterschool_relay_head_position", "Position up to which the log was read and sent.")
_EPOCH = prometheus.Gauge("afterschool_relay_epoch", "Epoch of this relay's lease; 0 while it stands by.")
_RESTARTS = prometheus.Counter("afterschool_relay_restarts", "Returns to the checkpoint.", ["error"])
_REPLACED = prometheus.Counter("afterschool_relay_replaced_queues", "Queues that had gone dumb and were made anew.")

logger = structlog.get_logger()


class Relay:
    """Publishes the log while it leads, and stands by while it does not."""

    def __init__(
        self,
        lease: Lease,
        reader: LogReader,
        connect: Callable[[], Awaitable[AbstractConnection]],
        *,
        groups: Mapping[str, int],
        topology: Topology | None = None,
        wakeups: Wakeups | None = None,
    ) -> None:
        """Take how to reach the broker, and the groups (name to number of queues) whose queues must be there."""
        self._lease = lease
        self._reader = reader
        self._connect = connect
        self._groups = groups
        self._topology = topology or Topology()
        self._wakeups = wakeups
        self._suspicious = False
        """The broker owed a confirm for too long, which may be one queue's fault."""

    async def run(self) -> None:
        """Lead or stand by for ever; whatever breaks, begin again from the checkpoint. Raises `LogBroken` on a fork."""
        while True:
            try:
                if term := await self._lease.take():
                    await self._lead(term)
            except Exception as error:  # noqa: BLE001  the outermost loop: nothing may end it
                self._begin_again(error)
            finally:
                _EPOCH.set(0)
            await asyncio.sleep(PAUSE)

    def _begin_again(self, error: Exception) -> None:
        errors = {type(leaf).__name__: leaf for leaf in leaves(error)}
        if broken := errors.get("LogBroken"):
            raise broken
        self._suspicious = "TimeoutError" in errors
        _RESTARTS.labels(min(errors)).inc()
        logger.warning("relay_begins_again", errors=sorted(errors))

    async def _lead(self, term: Term) -> None:
        if term.forked:
            raise LogBroken(reason="the log and the relay disagree about the past")
        logger.info("relay_leads", epoch=term.epoch, position=term.position)
        with cancelled_by_us_only():
            async with self._channel() as (connection, channel), asyncio.TaskGroup() as group:
                group.create_task(self._renew(term))
                await self._declare(channel, term)
                publisher = Publisher(await self._topology.declare_exchange(channel), term, group)
                group.create_task(publisher.watch(connection))
                await publisher.beat()  # a broker that is blocked says so now, with nothing on its way
                _EPOCH.set(term.epoch)
                group.create_task(self._beat(publisher))
                group.create_task(self._keep_checkpoint(publisher, term))
                await self._send_log(publisher, term)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[tuple[AbstractConnection, AbstractChannel]]:
        connection = await self._connect()
        try:
            yield connection, await connection.channel(publisher_confirms=True, on_return_raises=True)
        finally:
            with suppress(Exception), cancelled_by_us_only():
                async with asyncio.timeout(FAREWELL):
                    await connection.close()

    async def _declare(self, channel: AbstractChannel, term: Term) -> None:
        """See that every queue is there, and, after a confirm was missing, that every queue answers."""
        if self._suspicious:
            probe = heartbeat_message(Heartbeat(term.epoch, 0, UUID(int=0), (0,) * PARTS))
            dumb = await self._topology.replace_dumb_queues(channel, self._groups, probe)
            _REPLACED.inc(len(dumb))
            logger.log(40 if dumb else 20, "relay_probed_queues", replaced=dumb)
            self._suspicious = False
        for group, count in self._groups.items():
            await self._topology.declare_queues(channel, group, count)

    async def _renew(self, term: Term) -> None:
        while True:
            await asyncio.sleep(self._lease.seconds / 3)
            async with asyncio.timeout(self._lease.seconds):
                await self._lease.renew(term)

    async def _beat(self, publisher: Publisher) -> None:
        while True:
            await asyncio.sleep(BEAT)
            await publisher.beat()

    async def _keep_checkpoint(self, publisher: Publisher, term: Term) -> None:
        while True:
            position, event_id = await publisher.confirmed()
            await self._lease.advance(term, position, event_id)
            _POSITION.set(position)

    async def _send_log(self, publisher: Publisher, term: Term) -> None:
        async for page in self._reader.follow(term.position, self._wakeups, limit=PAGE):
            await publisher.send_page(page)
            _HEAD.set(page[-1].position)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the errors that a task group holds, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error
