"""Queues: the broker as a reader of the log sees it, how much waits in each queue and whether somebody reads it."""

from dataclasses import dataclass
from functools import partial

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelClosed

from adapters.broker.connection import connect, connected
from adapters.broker.topology import STUDENTS, Topology
from adapters.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue of the projectors."""

    name: str
    messages: int
    """That nobody has received yet."""
    consumers: int | None
    """Who reads it, one at a time; None where there is no such queue."""


async def read_queues(settings: Settings) -> list[Queue]:
    """Ask the broker for the queues that our relay fills; raises what a broker that is away raises."""
    assert settings.rabbitmq_url  # noqa: S101  there is a broker
    url = settings.rabbitmq_url.get_secret_value()
    names = Topology().queue_names(STUDENTS, settings.broker_queues)
    async with connected(partial(connect, url, name="afterschool status", ca_file=settings.rabbitmq_ca_file)) as broker:
        return [await _read(broker, name) for name in names]


async def _read(broker: AbstractConnection, name: str) -> Queue:
    channel = await broker.channel()  # the question after a queue that is not there closes it
    try:
        asked = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelClosed:
        return Queue(name=name, messages=0, consumers=None)
    await channel.close()
    return Queue(name=name, messages=asked.message_count or 0, consumers=asked.consumer_count)
