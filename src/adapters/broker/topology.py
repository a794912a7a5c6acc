"""Topology: the exchange, the queues and their arguments, every one explicit and taken by RabbitMQ 3.10 and 4 alike.

A queue serves a fixed set of parts and hears the heartbeats. To declare a queue again with other arguments is an error,
so the number of queues and a version are part of its name; a queue that is read no more goes by itself after a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aio_pika import ExchangeType, Message
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError

from adapters.broker.connection import BROKEN, Connect, cancelled_by_us_only, connected, is_blocked
from eventstore.record import PARTS

HEARTBEAT = "heartbeat"
"""Routing key of heartbeats; events are routed by part."""
STUDENTS = "students"
"""The group of all read models that concern one student."""

DELIVERY_LIMIT = 20
"""Deliveries of one message before it is dead-lettered; its reader fills the hole from the log."""
QUEUE_BYTES = 1 << 30
"""A queue that nobody reads refuses more than this; the relay then waits at its checkpoint."""
DEAD_BYTES = 64 << 20
"""Dead letters kept for an operator to look at; the oldest go first, for the log has them all."""
UNREAD_DAY = 24 * 60 * 60 * 1000
"""Milliseconds after which a queue without a reader is gone; its messages are in the log."""
PROBE_SECONDS = 5.0
DELETE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, its arguments, and what it is bound to."""

    name: str
    arguments: HeadersType
    exchange: str
    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Topology:
    """One system's names in a broker, which it may share with others."""

    name: str = "afterschool"

    @property
    def exchange(self) -> str:
        """Where events and heartbeats are published."""
        return f"{self.name}.events"

    @property
    def dead(self) -> str:
        """Exchange and queue of what was delivered too often or could not be read."""
        return f"{self.name}.dead"

    @property
    def dead_heartbeats(self) -> str:
        """Queue that swallows the heartbeats that nobody received in time: they are no news to an operator."""
        return f"{self.name}.dead.heartbeats"

    def queue_names(self, group: str, count: int) -> list[str]:
        """Return the names of a group's queues."""
        return [f"{self.name}.{group}.v2.{number}-of-{count}" for number in range(count)]

    def queues(self, group: str, count: int) -> list[Queue]:
        """Return a group's queues."""
        arguments: HeadersType = {
            "x-queue-type": "quorum",
            "x-queue-leader-locator": "balanced",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead,
            # At least once, a few queues deleted at a bad moment leave the whole broker without quorum queues until it
            # is restarted (rabbitmq-server#16652); and the log has every dead letter.
            "x-dead-letter-strategy": "at-most-once",
            "x-overflow": "reject-publish",
            "x-max-length-bytes": QUEUE_BYTES,
            "x-expires": UNREAD_DAY,
        }
        names = self.queue_names(group, count)
        return [Queue(name, arguments, self.exchange, routing_keys(number, count)) for number, name in enumerate(names)]

    def dead_queues(self) -> list[Queue]:
        """Return where dead letters go."""
        letters: HeadersType = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-overflow": "drop-head",
            "x-max-length-bytes": DEAD_BYTES,
        }
        heartbeats: HeadersType = {"x-queue-type": "classic", "x-overflow": "drop-head", "x-max-length": 1}
        return [
            Queue(self.dead, letters, self.dead, [str(part) for part in range(PARTS)]),
            Queue(self.dead_heartbeats, heartbeats, self.dead, [HEARTBEAT]),
        ]

    async def declare_exchange(self, channel: AbstractChannel) -> AbstractExchange:
        """Declare the exchange that events are published to."""
        return await channel.declare_exchange(self.exchange, ExchangeType.DIRECT, durable=True)

    async def declare_queues(self, channel: AbstractChannel, group: str, count: int) -> list[AbstractQueue]:
        """Declare a group's queues, bound to their parts, and where their dead letters go."""
        await self.declare_exchange(channel)
        await channel.declare_exchange(self.dead, ExchangeType.DIRECT, durable=True)
        for queue in self.dead_queues():
            await _declare(channel, queue)
        return [await _declare(channel, queue) for queue in self.queues(group, count)]

    async def delete_dumb_queues(self, connect: Connect, groups: Mapping[str, int], probe: Message) -> list[str]:
        """Delete the queues that can be no queues any more, to be declared anew, and return their names.

        A quorum queue may lose its members for ever: RabbitMQ 3.10, killed within a second after one was declared, has
        forgotten where its data is. What such a queue held is in the log. Raises what `connect` raises.
        """
        deleted = []
        for name in (name for group, count in groups.items() for name in self.queue_names(group, count)):
            if await _is_dumb(connect, name, probe):
                async with connected(connect) as connection:
                    await (await connection.channel()).queue_delete(name, timeout=DELETE_SECONDS)
                deleted.append(name)
        return deleted


async def _declare(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
    for key in queue.keys:
        await declared.bind(queue.exchange, key)
    return declared


async def _is_dumb(connect: Connect, name: str, probe: Message) -> bool:
    """Tell whether a queue gives no answer to a message, or refuses it although it is not full.

    A broker that takes nothing for now, being short of memory or disk, says so, and its queues are left alone.
    On a connection of its own: a broker in which a queue does not answer ends the connection that asked it, or lets
    the queue's deletion wait for a minute.
    """
    async with connected(connect) as connection:
        try:
            with cancelled_by_us_only():
                channel = await connection.channel(on_return_raises=True)
                try:
                    await channel.default_exchange.publish(probe, name, mandatory=True, timeout=PROBE_SECONDS)
                except PublishError:  # there is no such queue
                    return False
                except DeliveryError:
                    return not (await channel.declare_queue(name, passive=True)).declaration_result.message_count
        except BROKEN:
            return not await is_blocked(connection)
    return False


def parts_of(number: int, count: int) -> range:
    """Return the parts that the queue of this number serves."""
    return range(number, PARTS, count)


def routing_keys(number: int, count: int) -> list[str]:
    """Return what the queue of this number is bound to."""
    return [*(str(part) for part in parts_of(number, count)), HEARTBEAT]
