"""Projector by the broker: full queues folded into the read models, against one event a transaction, on the same log.

The relay has filled the queues before a turn begins; what is timed is a projector that connects, takes its share, and
folds all of it. Each turn of either side begins with empty read models.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from pstats import Stats
from statistics import median

import asyncpg

from adapters.broker.connection import connect, connected
from adapters.broker.intake import Intake
from adapters.broker.topology import STUDENTS, Topology
from adapters.cache import Cache
from adapters.stopping import end
from benchmarks.figure import ROUNDS, Figure, on_uvloop, profiled
from benchmarks.log import open_log
from benchmarks.machine import Machine
from benchmarks.projector import SINGLES, Run, fill
from benchmarks.relay import QUEUES, carried, relaying
from benchmarks.stream import assist17
from eventstore.connections import PROJECTOR, create_pool
from eventstore.reader import LogReader
from projections.students import STUDENTS as PROJECTIONS
from workers.broker_subscription import BrokerSubscription
from workers.projector import Projector
from workers.share import Share

EVENTS = 20_000


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Events a second; turns are counted in events, whatever the seconds."""
    del seconds
    return await on_uvloop(_measure(machine, await machine.broker()))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone, over and over the same log."""
    return await on_uvloop(_profile(machine, await machine.broker(), seconds))


class Course:
    """A log, queues that hold all of it, and read models that may be emptied."""

    def __init__(self, dsn: str, pool: asyncpg.Pool, cache: Cache, url: str) -> None:
        self._dsn = dsn
        self._pool = pool
        self._reader = LogReader(pool)
        self._cache = cache
        self._connect = partial(connect, url, name="bench")
        self._topology = Topology("bench-projector")

    async def from_broker(self) -> float:
        """Fold what the queues hold; return events a second."""
        head = await self._reader.head()
        await self._begin_again()
        async with relaying(self._pool, self._connect, self._topology):
            await carried(self._pool, head)
        projector = Projector(self._pool, self._cache, PROJECTIONS)
        share = Share(self._pool, STUDENTS, QUEUES)
        intake = Intake(self._connect, STUDENTS, QUEUES, lambda: share.queues, topology=self._topology)
        began = time.perf_counter()
        subscription = BrokerSubscription(intake, share, self._reader, projector.cursors, patience=60)
        running = asyncio.create_task(projector.run(subscription))
        while await self._pool.fetchval(_BEHIND):  # noqa: ASYNC110  the clock of a figure
            await asyncio.sleep(0.02)
        took = time.perf_counter() - began
        await end(running)
        return head / took

    async def one_by_one(self) -> float:
        """Fold the log's first events, one a transaction; return events a second."""
        await self._begin_again()
        return await Run(Projector(self._pool, self._cache, PROJECTIONS), self._reader).fold(SINGLES, a_transaction=1)

    async def _begin_again(self) -> None:
        owner = await asyncpg.connect(self._dsn)
        tables = ", ".join(f"read.{table}_g1" for projection in PROJECTIONS for table in projection.tables)
        await owner.execute(f"truncate {tables}")
        await owner.execute("update read.cursors set position = 0, event_id = null, applied = 0")
        await owner.execute("update fanout.relay set position = 0, event_id = null, until = '-infinity'")
        await owner.close()
        async with connected(self._connect) as connection:
            for queue in await self._topology.declare_queues(await connection.channel(), STUDENTS, QUEUES):
                await queue.purge()


_BEHIND = """
select exists (
    select from read.cursors
    where position < (select coalesce(max(e.position), 0) from events as e where e.part = cursors.part)
)
"""


async def _measure(machine: Machine, url: str) -> list[Figure]:
    brokered, single = [], []
    async with _course(machine, url) as course:
        await course.from_broker()
        for _ in range(ROUNDS):
            brokered.append(await course.from_broker())
            single.append(await course.one_by_one())
    return [
        Figure(
            name="projector_broker_vs_single",
            value=median(brokered),
            unit="events/s",
            peer="one event a transaction",
            against=median(single),
        )
    ]


async def _profile(machine: Machine, url: str, seconds: float) -> Stats:
    async with _course(machine, url) as course:

        async def again() -> None:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                await course.from_broker()

        return await profiled(again())


@asynccontextmanager
async def _course(machine: Machine, url: str) -> AsyncIterator[Course]:
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        await fill(store, islice(assist17(), EVENTS))
    async with AsyncExitStack() as stack:
        pool = await create_pool(dsn, PROJECTOR, size=5)
        stack.push_async_callback(pool.close)
        cache = Cache(machine.redis_url)
        stack.push_async_callback(cache.close)
        yield Course(dsn, pool, cache, url)
    await machine.drop_database(dsn)
