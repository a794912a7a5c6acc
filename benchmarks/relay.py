"""Relay: the log carried to quorum queues, confirmed, against raw aio-pika publishing the same batches.

Each turn begins at the start of the log with empty queues, connects, declares, and ends with the last confirm. The peer
has every message made beforehand and sends them with as many unconfirmed at a time; the relay reads and encodes the log
as well, and writes its checkpoint.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pstats import Stats

import asyncpg
from aio_pika import Message
from aio_pika.abc import AbstractExchange

from adapters.broker.connection import Connect, connect, connected
from adapters.broker.messages import batch_message
from adapters.broker.outbox import Outbox
from adapters.broker.topology import STUDENTS, Topology
from adapters.stopping import end
from benchmarks.figure import Figure, in_turns, on_uvloop, profiled
from benchmarks.log import open_log
from benchmarks.machine import Machine
from benchmarks.projector import fill
from benchmarks.stream import assist17
from eventstore.connections import PROJECTOR, create_pool
from workers.lease import Lease
from workers.publisher import WINDOW
from workers.relay import Relay

EVENTS = 60_000
QUEUES = 4


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Events a second; turns are counted in events, whatever the seconds."""
    return await on_uvloop(_measure(machine, await machine.broker(), seconds))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone, over and over the same log."""
    return await on_uvloop(_profile(machine, await machine.broker(), seconds))


class Course:
    """A log, the queues it is to be carried to, and both who carry it."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self._pool = pool
        self._connect = partial(connect, url, name="bench")
        self._topology = Topology("bench")
        self._head = 0
        self._messages: list[tuple[Message, str]] = []

    async def prepare(self) -> None:
        """Make the queues, and the peer's messages."""
        self._head = await self._pool.fetchval("select max(position) from events")
        sent = dict.fromkeys(range(64), 0)
        reached = 0
        while page := await Outbox(self._pool).read(reached):
            for batch in page:
                message = batch_message(batch, prev=sent[batch.part], epoch=1)
                self._messages.append((message, str(batch.part)))
                sent[batch.part] = batch.position
            reached = page[-1].position
        await self.empty()

    async def relay(self, seconds: float) -> float:
        """Let the relay carry the whole log; return events a second."""
        del seconds
        await self._pool.execute("update fanout.relay set position = 0, event_id = null, until = '-infinity'")
        began = time.perf_counter()
        async with relaying(self._pool, self._connect, self._topology):
            await carried(self._pool, self._head)
            took = time.perf_counter() - began
        await self.empty()
        return self._head / took

    async def raw(self, seconds: float) -> float:
        """Publish the same batches with nothing around it; return events a second."""
        del seconds
        window = asyncio.Semaphore(WINDOW)

        async def publish(exchange: AbstractExchange, message: Message, key: str) -> None:
            await exchange.publish(message, key, mandatory=True)
            window.release()

        began = time.perf_counter()
        async with connected(self._connect) as connection, asyncio.TaskGroup() as group:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await self._topology.declare_exchange(channel)
            await self._topology.declare_queues(channel, STUDENTS, QUEUES)
            for message, key in self._messages:
                await window.acquire()
                group.create_task(publish(exchange, message, key))
            for _ in range(WINDOW):
                await window.acquire()
            took = time.perf_counter() - began
        await self.empty()
        return self._head / took

    async def empty(self) -> None:
        """Forget what the queues hold."""
        async with connected(self._connect) as connection:
            channel = await connection.channel()
            for queue in await self._topology.declare_queues(channel, STUDENTS, QUEUES):
                await queue.purge()


@asynccontextmanager
async def relaying(pool: asyncpg.Pool, to_broker: Connect, topology: Topology) -> AsyncIterator[None]:
    """Let a relay work."""
    relay = Relay(Lease(pool), Outbox(pool), to_broker, groups={STUDENTS: QUEUES}, topology=topology)
    running = asyncio.create_task(relay.run())
    yield
    await end(running)


async def carried(pool: asyncpg.Pool, head: int) -> None:
    """Return when the broker has confirmed everything up to the head."""
    while await pool.fetchval("select position from fanout.relay") < head:  # noqa: ASYNC110  the clock of a figure
        await asyncio.sleep(0.005)


async def _measure(machine: Machine, url: str, seconds: float) -> list[Figure]:
    async with _course(machine, url) as course:
        await course.relay(seconds)
        ours, raw = await in_turns(course.relay, course.raw, seconds=seconds)
    peer = "raw aio-pika, the same batches"
    return [Figure(name="relay_vs_aio_pika", value=ours, unit="events/s", peer=peer, against=raw)]


async def _profile(machine: Machine, url: str, seconds: float) -> Stats:
    async with _course(machine, url) as course:

        async def again() -> None:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                await course.relay(seconds)

        return await profiled(again())


@asynccontextmanager
async def _course(machine: Machine, url: str) -> AsyncIterator[Course]:
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        await fill(store, islice(assist17(), EVENTS))
    pool = await create_pool(dsn, PROJECTOR, size=4)
    course = Course(pool, url)
    await course.prepare()
    yield course
    await pool.close()
    await machine.drop_database(dsn)
