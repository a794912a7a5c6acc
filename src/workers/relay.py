"""Relay: the log to RabbitMQ, in order, confirmed, by one leader at a time.

The log is the outbox. The checkpoint moves behind a page only when the broker has confirmed every message up to its
end. On any doubt the relay starts again from the checkpoint: what arrives twice is harmless, because readers trust
positions and the log, not the broker. See lease.py for who leads, publisher.py for what is sent.
"""

import asyncio
from collections.abc import Iterator, Mapping
from uuid import UUID

import prometheus_client as prometheus
import structlog
from aio_pika.abc import AbstractConnection

from adapters.broker.connection import Connect, cancelled_by_us_only, connected
from adapters.broker.messages import Heartbeat, heartbeat_message
from adapters.broker.outbox import EncodedBatch, Outbox
from adapters.broker.topology import Topology
from domain.errors import LogBroken
from eventstore.reader import Wakeups
from eventstore.record import PARTS
from workers.lease import Lease, Term
from workers.publisher import Publisher

BEAT = 1.0
"""Seconds between heartbeats."""
PAUSE = 0.5
"""Seconds until a standby asks again, and until a leader begins again."""

DECLARING = 20.0
"""Seconds that declaring everything may take; who waits longer holds a lead for nothing."""

_POSITION = prometheus.Gauge("afterschool_relay_position", "Position up to which the broker has confirmed everything.")
_HEAD = prometheus.Gauge("afterschool_relay_head_position", "Position up to which the log was read and sent.")
_EPOCH = prometheus.Gauge("afterschool_relay_epoch", "Epoch of this relay's lease; 0 while it stands by.")
_RESTARTS = prometheus.Counter("afterschool_relay_restarts", "Returns to the checkpoint.", ["error"])
_DELETED = prometheus.Counter("afterschool_relay_dumb_queues_deleted", "Queues that gave no answer and were made anew.")

logger = structlog.get_logger()


class Relay:
    """Publishes the log while it leads, and stands by while it does not."""

    def __init__(
        self,
        lease: Lease,
        outbox: Outbox,
        connect: Connect,
        *,
        groups: Mapping[str, int],
        topology: Topology | None = None,
        wakeups: Wakeups | None = None,
    ) -> None:
        """Take how to reach the broker, and the groups (name to number of queues) whose queues must be there."""
        self._lease = lease
        self._outbox = outbox
        self._connect = connect
        self._groups = groups
        self._topology = topology or Topology()
        self._wakeups = wakeups
        self._suspicious = False
        """Something failed since the queues were last seen to answer."""
        self._failures = 0
        """Times in a row that it began again without getting anywhere."""

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
            await asyncio.sleep(PAUSE * min(self._failures, 4) if self._failures else PAUSE)

    def _begin_again(self, error: Exception) -> None:
        errors = {type(leaf).__name__: leaf for leaf in leaves(error)}
        if broken := errors.get("LogBroken"):
            raise broken
        self._suspicious = True
        self._failures += 1
        _RESTARTS.labels(min(errors)).inc()
        if self._failures & (self._failures - 1) == 0:  # a night without a broker fills no disk
            logger.warning("relay_begins_again", errors=sorted(errors), times=self._failures)

    async def _lead(self, term: Term) -> None:
        if term.forked:
            raise LogBroken(reason="the log and the relay disagree about the past")
        with cancelled_by_us_only():
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew(term))
                if self._suspicious:
                    await self._repair(term)
                async with connected(self._connect) as connection:
                    await self._send_log(connection, term, group)

    async def _send_log(self, connection: AbstractConnection, term: Term, group: asyncio.TaskGroup) -> None:
        async with asyncio.timeout(DECLARING):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await self._topology.declare_exchange(channel)
            for name, count in self._groups.items():
                await self._topology.declare_queues(channel, name, count)
        publisher = Publisher(exchange, term, group)
        group.create_task(publisher.watch(connection))
        await publisher.beat()  # a broker that is short of something says so now, with nothing on its way
        _EPOCH.set(term.epoch)
        self._failures = 0
        logger.info("relay_leads", epoch=term.epoch, position=term.position)
        group.create_task(self._beat(publisher))
        group.create_task(self._keep_checkpoint(publisher, term))
        pages: asyncio.Queue[list[EncodedBatch]] = asyncio.Queue(maxsize=1)
        group.create_task(self._read(term, pages))
        while True:
            page = await pages.get()
            await publisher.send_page(page)
            _HEAD.set(page[-1].position)

    async def _read(self, term: Term, pages: asyncio.Queue[list[EncodedBatch]]) -> None:
        """Read a page ahead, so that Postgres works while the broker does."""
        async for page in self._outbox.follow(term.position, self._wakeups):
            await pages.put(page)

    async def _repair(self, term: Term) -> None:
        """See that every queue answers: the failure before may have been the fault of one."""
        probe = heartbeat_message(Heartbeat(term.epoch, 0, UUID(int=0), (0,) * PARTS))
        deleted = await self._topology.delete_dumb_queues(self._connect, self._groups, probe)
        self._suspicious = False
        _DELETED.inc(len(deleted))
        logger.log(40 if deleted else 20, "relay_probed_queues", deleted=deleted)

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


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the errors that a task group holds, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error
