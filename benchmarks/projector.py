"""Projector: events folded into the read models a thousand a transaction, against one a transaction, on the same log.

This process reads the log, folds and writes on one thread, and tells Valkey what became stale. The log holds a real
learner log's students and topics in their order. Each side goes on where the other stopped, so that both write rows of
the same tables.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pstats import Stats
from statistics import median
from uuid import UUID

from adapters.cache import Cache
from benchmarks.figure import ROUNDS, Figure, on_uvloop, profiled
from benchmarks.log import OpenLog, open_log, practise, register_student
from benchmarks.machine import Machine
from benchmarks.stream import Line, assist17
from eventstore.connections import PROJECTOR, create_pool
from eventstore.reader import LogReader
from eventstore.record import Record
from projections.students import STUDENTS
from workers.projector import Projector
from workers.subscription import BATCH, Delivery, Slice

BATCHES = 4
"""Full batches that a turn of our side takes."""
SINGLES = 150
"""Events that a turn of the other side takes, one a transaction."""


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Events a second through `Projector.apply`; turns are counted in events, whatever the seconds."""
    del seconds
    return await on_uvloop(_measure(machine))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone, on about as many events as it folds in that time."""
    return await on_uvloop(_profile(machine, int(10 * BATCH * seconds)))


class Run:
    """A projector on its way through a log."""

    def __init__(self, projector: Projector, reader: LogReader) -> None:
        self._projector = projector
        self._reader = reader
        self._reached = 0

    async def fold(self, events: int, *, a_transaction: int) -> float:
        """Read and fold the next events; return how many a second, 0.0 at the end of the log."""
        began, start = time.perf_counter(), self._reached
        while self._reached < start + events:
            page = await self._reader.read(self._reached, limit=min(BATCH, start + events - self._reached))
            if not page:
                return 0.0
            for n in range(0, len(page), a_transaction):
                await self._projector.apply(_delivery(page[n : n + a_transaction]))
            self._reached = page[-1].position
        return (self._reached - start) / (time.perf_counter() - began)


async def _measure(machine: Machine) -> list[Figure]:
    batched, single = [], []
    async with _projecting(machine, (ROUNDS + 1) * (BATCHES * BATCH + SINGLES)) as run:
        await run.fold(BATCHES * BATCH, a_transaction=BATCH)
        for _ in range(ROUNDS):
            batched.append(await run.fold(BATCHES * BATCH, a_transaction=BATCH))
            single.append(await run.fold(SINGLES, a_transaction=1))
    return [
        Figure(
            name="projector_vs_single",
            value=median(batched),
            unit="events/s",
            peer="one event a transaction",
            against=median(single),
        )
    ]


async def _profile(machine: Machine, events: int) -> Stats:
    async with _projecting(machine, events) as run:
        return await profiled(run.fold(events, a_transaction=BATCH))


@asynccontextmanager
async def _projecting(machine: Machine, events: int) -> AsyncIterator[Run]:
    """Fill a log and stand a projector at its beginning."""
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        await fill(store, islice(assist17(), events))
    async with AsyncExitStack() as stack:
        pool = await create_pool(dsn, PROJECTOR, size=3)
        stack.push_async_callback(pool.close)
        cache = Cache(machine.redis_url)
        stack.push_async_callback(cache.close)
        yield Run(Projector(pool, cache, STUDENTS), LogReader(pool))
    await machine.drop_database(dsn)


async def fill(store: OpenLog, lines: Iterable[Line]) -> None:
    """Register each student at their first answer and record the answers in order, 256 at a time."""
    students: dict[str, UUID] = {}
    remaining = iter(lines)
    while some := list(islice(remaining, 256)):
        for line in some:
            if line.student_id not in students:
                students[line.student_id] = await register_student(store)
        await asyncio.gather(
            *(practise(store, students[line.student_id], line.topic, 100 * line.score) for line in some)
        )


def _delivery(records: list[Record]) -> Delivery:
    by_part: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        by_part[record.part].append(record)
    last = records[-1]
    return Delivery([Slice(part, 0, own, last.position, last.event_id) for part, own in by_part.items()])
