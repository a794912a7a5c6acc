"""Topology: what the broker holds, and what it does with what nobody takes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError

from adapters.broker.connection import Connect, connect
from adapters.broker.topology import HEARTBEAT, STUDENTS, Topology, parts_of
from tests.broker import Broker
from tests.workers.running import eventually

FORGET = "ra:force_delete_server(quorum_queues, {'%2F_QUEUE', node()})"
RECOVER = """,
{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"QUEUE">>)),
rabbit_quorum_queue:recover(<<"/">>, [Queue])"""
"""What a node of RabbitMQ 3.10 does at its start, here with a queue whose data it does not find."""

MESSAGE = Message(b"{}", delivery_mode=DeliveryMode.PERSISTENT)


@pytest.fixture
async def channel(rabbitmq: str) -> AsyncIterator[AbstractChannel]:
    async with await connect(rabbitmq, name="tests") as connection:
        yield await connection.channel(on_return_raises=True)


def connection_to(url: str) -> Connect:
    return partial(connect, url, name="tests")


async def first(channel: AbstractChannel, queue: str) -> AbstractIncomingMessage:
    """Return the first message of a queue that has a single active consumer, and stop consuming."""
    arrived: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()

    async def take(message: AbstractIncomingMessage) -> None:
        if not arrived.done():
            arrived.set_result(message)

    await channel.set_qos(prefetch_count=1)
    tag = await channel.get_queue(queue)
    consumer = await tag.consume(take)
    message = await arrived
    await tag.cancel(consumer)
    return message


async def messages_in(channel: AbstractChannel, queue: str) -> int:
    return (await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0


async def is_empty(channel: AbstractChannel, queue: str) -> bool:
    return await messages_in(channel, queue) == 0


@pytest.mark.parametrize("count", range(1, 65))
def test_every_part_has_exactly_one_queue_whatever_their_number(count: int) -> None:
    served = [part for number in range(count) for part in parts_of(number, count)]

    assert sorted(served) == list(range(64))


async def test_it_can_be_declared_again_and_again(channel: AbstractChannel, topology: Topology) -> None:
    for _ in range(2):
        queues = await topology.declare_queues(channel, STUDENTS, 3)

    assert [queue.name for queue in queues] == topology.queue_names(STUDENTS, 3)


async def test_each_part_reaches_its_queue_and_heartbeats_reach_all(
    channel: AbstractChannel, topology: Topology
) -> None:
    exchange = await topology.declare_exchange(channel)
    await topology.declare_queues(channel, STUDENTS, 3)

    for part in range(64):
        await exchange.publish(MESSAGE, str(part))
    await exchange.publish(MESSAGE, HEARTBEAT)

    counts = [await messages_in(channel, name) for name in topology.queue_names(STUDENTS, 3)]
    assert counts == [22 + 1, 21 + 1, 21 + 1]


async def test_what_has_no_queue_comes_back(channel: AbstractChannel, topology: Topology) -> None:
    exchange = await topology.declare_exchange(channel)

    with pytest.raises(PublishError):
        await exchange.publish(MESSAGE, "0", mandatory=True)


async def test_what_a_reader_refuses_is_kept_for_an_operator(channel: AbstractChannel, topology: Topology) -> None:
    exchange = await topology.declare_exchange(channel)
    [queue] = await topology.declare_queues(channel, STUDENTS, 1)
    await exchange.publish(Message(b"poison", delivery_mode=DeliveryMode.PERSISTENT), "5")

    await (await first(channel, queue.name)).reject(requeue=False)

    letter = await first(channel, topology.dead)
    assert letter.body == b"poison"
    assert letter.routing_key == "5"


async def test_what_is_delivered_too_often_goes_aside(channel: AbstractChannel, topology: Topology) -> None:
    exchange = await topology.declare_exchange(channel)
    [queue] = await topology.declare_queues(channel, STUDENTS, 1)
    await exchange.publish(Message(b"poison", delivery_mode=DeliveryMode.PERSISTENT), "5")

    async def send_back(message: AbstractIncomingMessage) -> None:
        await message.nack(requeue=True)

    await queue.consume(send_back)

    letter = await first(channel, topology.dead)
    assert letter.body == b"poison"
    assert letter.headers["x-first-death-reason"] == "delivery_limit"


async def test_heartbeats_that_nobody_received_are_no_dead_letters(
    channel: AbstractChannel, topology: Topology
) -> None:
    exchange = await topology.declare_exchange(channel)
    [queue] = await topology.declare_queues(channel, STUDENTS, 1)
    for _ in range(3):
        await exchange.publish(Message(b"", expiration=0.01), HEARTBEAT)
    await eventually(lambda: is_empty(channel, queue.name))
    await exchange.publish(Message(b"poison", delivery_mode=DeliveryMode.PERSISTENT), "5")

    await (await first(channel, queue.name)).reject(requeue=False)

    assert (await first(channel, topology.dead)).body == b"poison"


@pytest.mark.parametrize("misfortune", [FORGET, FORGET + RECOVER], ids=["refuses though empty", "gives no answer"])
async def test_a_queue_that_is_none_any_more_is_found_and_deleted(own_rabbitmq: Broker, misfortune: str) -> None:
    topology = Topology(f"dumb-{uuid4().hex}")
    async with await connect(own_rabbitmq.url, name="tests") as connection:
        channel = await connection.channel()
        dumb, good = await topology.declare_queues(channel, STUDENTS, 2)
        await own_rabbitmq.control("eval", misfortune.replace("QUEUE", dumb.name) + ".")

        deleted = await topology.delete_dumb_queues(connection_to(own_rabbitmq.url), {STUDENTS: 2}, MESSAGE)

        assert deleted == [dumb.name]
        assert await topology.delete_dumb_queues(connection_to(own_rabbitmq.url), {STUDENTS: 2}, MESSAGE) == []
        await topology.declare_queues(channel, STUDENTS, 2)
        for queue in (dumb, good):
            await channel.default_exchange.publish(MESSAGE, queue.name)


async def test_a_queue_that_is_full_is_left_alone(rabbitmq: str, channel: AbstractChannel, topology: Topology) -> None:
    [name] = topology.queue_names(STUDENTS, 1)
    limits: HeadersType = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    await channel.declare_queue(name, durable=True, arguments=limits)
    full = False
    while not full:
        [result] = await asyncio.gather(channel.default_exchange.publish(MESSAGE, name), return_exceptions=True)
        full = isinstance(result, DeliveryError)

    assert await topology.delete_dumb_queues(connection_to(rabbitmq), {STUDENTS: 1}, MESSAGE) == []


async def test_while_the_broker_is_short_of_memory_its_queues_are_left_alone(own_rabbitmq: Broker) -> None:
    topology = Topology(f"short-{uuid4().hex}")
    async with await connect(own_rabbitmq.url, name="tests") as connection:
        await topology.declare_queues(await connection.channel(), STUDENTS, 1)
    await own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")

    deleted = await topology.delete_dumb_queues(connection_to(own_rabbitmq.url), {STUDENTS: 1}, MESSAGE)

    await own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "512MB")
    assert deleted == []
