"""Meddler: someone else at the broker, who listens to everything and repeats, reorders, drops and garbles it."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Self

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, HeadersType

from adapters.broker.connection import BROKEN, connect
from adapters.broker.topology import HEARTBEAT, STUDENTS, Topology

OURS = "meddler"
OLDEST, NEWEST = 300, 300
"""Messages that are kept: the first ever heard, and the last."""
JUNK = (b"", b"{", b"[]", b"[null]", b'[{"specversion":"1.0"}]', b"\x00\xff" * 500)
Meddling = Callable[[AbstractChannel], Awaitable[None]]


class Heard(NamedTuple):
    """A message as it came by."""

    key: str
    message: Message


class Meddler:
    """Has a queue of its own, bound to all there is; `queues` is how many the group of readers has."""

    def __init__(self, url: str, queues: int, chance: random.Random, topology: Topology | None = None) -> None:
        self._url = url
        self._queues = queues
        self._chance = chance
        self._topology = topology or Topology()
        self._first: list[Heard] = []
        self._last: deque[Heard] = deque(maxlen=NEWEST)
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening
        self._listening.cancel()
        await asyncio.wait({self._listening})

    async def repeat(self, channel: AbstractChannel) -> None:
        """Send what came last again, once to five times each."""
        for heard in [heard for heard in self._last for _ in range(self._chance.randint(1, 5))]:
            await self._send(channel, heard)

    async def shuffle(self, channel: AbstractChannel) -> None:
        """Send what came last in any order."""
        for heard in self._chance.sample(self._last, len(self._last)):
            await self._send(channel, heard)

    async def replay(self, channel: AbstractChannel) -> None:
        """Send what came first of all, however long ago that was."""
        for heard in self._first:
            await self._send(channel, heard)

    async def garble(self, channel: AbstractChannel) -> None:
        """Send what nobody can read to every part, and headers that fit nothing."""
        for part in range(64):
            headers: HeadersType = self._chance.choice([{}, {"schema": 1}, {"schema": 99, "part": part}, {"last": "x"}])
            kind = self._chance.choice(("events", "heartbeat", "", None))
            await self._send(channel, Heard(str(part), Message(self._chance.choice(JUNK), headers=headers, type=kind)))
        await self._send(channel, Heard(HEARTBEAT, Message(b"", headers={"schema": 1, "last": [1]}, type="heartbeat")))

    async def drop(self, channel: AbstractChannel) -> None:
        """Take every queue off some parts for a moment, and throw away what waits in them."""
        parts = self._chance.sample(range(64), 32)
        names = self._names
        for part in parts:
            queue = await channel.get_queue(names[part % self._queues])
            await queue.unbind(self._topology.exchange, str(part))
        await asyncio.sleep(self._chance.uniform(0.1, 1))
        for name in names:
            await (await channel.get_queue(name)).purge()
        for part in parts:
            queue = await channel.get_queue(names[part % self._queues])
            await queue.bind(self._topology.exchange, str(part))

    async def delete_queue(self, channel: AbstractChannel) -> None:
        """Delete one of the readers' queues."""
        await channel.queue_delete(self._chance.choice(self._names))

    async def delete_everything(self, channel: AbstractChannel) -> None:
        """Delete every queue and exchange of the system."""
        for name in (*self._names, self._topology.dead, self._topology.dead_heartbeats):
            await channel.queue_delete(name)
        for name in (self._topology.exchange, self._topology.dead):
            await channel.exchange_delete(name)

    async def do(self, meddling: Meddling) -> None:
        """Do it as soon as there is a broker to do it to; what broke on the way is begun again."""
        while True:
            with suppress(*BROKEN):
                async with await connect(self._url, name=OURS) as connection:
                    return await meddling(await connection.channel())
            await asyncio.sleep(0.2)

    @property
    def _names(self) -> list[str]:
        return self._topology.queue_names(STUDENTS, self._queues)

    async def _send(self, channel: AbstractChannel, heard: Heard) -> None:
        exchange = await channel.get_exchange(self._topology.exchange, ensure=False)
        heard.message.reply_to = OURS
        await exchange.publish(heard.message, heard.key, mandatory=False)

    async def _listen(self) -> None:
        while True:
            with suppress(*BROKEN):
                async with await connect(self._url, name=OURS) as connection:
                    await self._listen_until_closed(await connection.channel())
            await asyncio.sleep(0.2)

    async def _listen_until_closed(self, channel: AbstractChannel) -> None:
        queue = await channel.declare_queue(exclusive=True)
        for key in (HEARTBEAT, *map(str, range(64))):
            await queue.bind(self._topology.exchange, key)
        await queue.consume(self._keep, no_ack=True)
        await channel.closed()

    async def _keep(self, incoming: AbstractIncomingMessage) -> None:
        if incoming.reply_to == OURS:
            return
        heard = Heard(incoming.routing_key or "", _copy(incoming))
        self._last.append(heard)
        if len(self._first) < OLDEST:
            self._first.append(heard)


def _copy(message: AbstractIncomingMessage) -> Message:
    return Message(
        message.body,
        headers=message.headers,
        type=message.type,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=message.delivery_mode,
        message_id=message.message_id,
        timestamp=message.timestamp,
        app_id=message.app_id,
    )
