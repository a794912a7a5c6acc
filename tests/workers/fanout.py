"""Fan-out: a log to be relayed, a relay at work on it, and a reader of everything that reaches the queues."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import asyncpg
from aio_pika.abc import AbstractIncomingMessage

from adapters.broker.connection import BROKEN, connect
from adapters.broker.messages import Batch, Heartbeat, read_message
from adapters.broker.outbox import Outbox
from adapters.broker.topology import STUDENTS, Topology
from adapters.stopping import end
from eventstore.connections import PROJECTOR, create_pool
from eventstore.record import Record
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store
from tests.workers.running import eventually
from workers.lease import Lease
from workers.relay import Relay

QUEUES = 4


@dataclass
class Received:
    """What reached the queues, in the order of arrival."""

    batches: list[Batch] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)

    def positions(self) -> list[int]:
        """Return the positions of all events that arrived, repeats included."""
        return sorted(record.position for batch in self.batches for record in batch.records)

    def records(self) -> list[Record]:
        """Return each event that arrived, once, in the order of the log."""
        return sorted({record.position: record for batch in self.batches for record in batch.records}.values())

    def links(self) -> dict[int, list[tuple[int, int]]]:
        """Return, by part, what each batch goes on from and where it ends."""
        links: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for batch in self.batches:
            links[batch.part].append((batch.prev, batch.records[-1].position))
        return links

    def assert_in_order_and_linked(self) -> None:
        """See that each part's batches follow each other without hole or overlap."""
        for links in self.links().values():
            assert all(prev == last for (_, last), (prev, _) in pairwise(links))


@dataclass
class Fanout:
    """A log, and where it is to go."""

    store: Store
    pool: asyncpg.Pool
    url: str
    topology: Topology

    def relay(self, *, url: str = "", lease: Lease | None = None) -> Relay:
        """Return a relay of its own, by way of this address."""
        return Relay(
            lease or Lease(self.pool),
            Outbox(self.pool),
            partial(connect, url or self.url, name="tests relay"),
            groups={STUDENTS: QUEUES},
            topology=self.topology,
        )

    async def append(self, events: int, *, data: str = "{}") -> int:
        """Append so many events of many streams, and return the last position."""
        streams = [(f"stream-{n}", END) for n in range(events)]
        return (await self.store.appender.append(an_append(*streams, data=data))).last  # type: ignore[union-attr]

    async def checkpoint(self) -> int:
        """Return the position up to which everything is confirmed."""
        return await self.pool.fetchval("select position from fanout.relay")  # type: ignore[no-any-return]

    async def is_at(self, position: int) -> bool:
        """Tell whether the checkpoint is there."""
        return await self.checkpoint() == position

    async def reaches(self, position: int) -> None:
        """Wait until everything up to there is confirmed."""
        await eventually(lambda: self.is_at(position))

    async def arrives(self, received: Received) -> None:
        """Wait until the whole log has arrived."""

        async def all_is_there() -> bool:
            return received.records() == await self.log()

        await eventually(all_is_there)

    async def epoch(self) -> int:
        return await self.pool.fetchval("select epoch from fanout.relay")  # type: ignore[no-any-return]

    async def log(self) -> list[Record]:
        return await self.store.reader.read(0)


@asynccontextmanager
async def open_fanout(store: Store, url: str, topology: Topology) -> AsyncIterator[Fanout]:
    pool = await create_pool(store.dsn, PROJECTOR, size=4)
    yield Fanout(store, pool, url, topology)
    pool.terminate()


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator["asyncio.Task[None]"]:
    """Let a relay work; if it ended by itself, say why."""
    task = asyncio.create_task(relay.run())
    try:
        yield task
        if task.done() and not task.cancelled():
            task.result()
    finally:
        await end(task)


@asynccontextmanager
async def receiving(url: str, topology: Topology) -> AsyncIterator[Received]:
    """Read all queues of the group, and again whenever the broker was away or a queue was made anew."""
    received = Received()

    async def take(message: AbstractIncomingMessage) -> None:
        read = read_message(message)
        if isinstance(read, Batch):
            received.batches.append(read)
        else:
            received.heartbeats.append(read)

    async def consume_for_a_while() -> None:
        async with await connect(url, name="tests reader") as connection:
            channel = await connection.channel()
            over = asyncio.ensure_future(channel.closed())
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _: over.cancel())
            for queue in await topology.declare_queues(channel, STUDENTS, QUEUES):
                await queue.consume(take, no_ack=True)
            started.set()
            await asyncio.wait({over})

    async def consume() -> None:
        while True:
            with suppress(*BROKEN):
                await consume_for_a_while()
            await asyncio.sleep(0.1)

    started = asyncio.Event()
    task = asyncio.create_task(consume())
    await started.wait()
    try:
        yield received
    finally:
        await end(task)
