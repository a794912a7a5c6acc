"""Rebuild: the progress read model from the log's first event on, against COPY of the same events to a file.

Every turn fills a generation of its own, attaches it and drops it, as `afterschool projections rebuild` does; the other
side copies all columns of all events in position order. The log holds a real learner log's students, topics and times
in their order, several times over with other students, so that starting a process for each core counts as little as in
a log that is worth it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pstats import Stats
from statistics import median
from uuid import UUID

import asyncpg

from adapters.memory import settle_memory
from benchmarks.figure import ROUNDS, Figure, on_uvloop, profiled
from benchmarks.log import OpenLog, open_log, practise, register_student
from benchmarks.machine import Machine
from benchmarks.stream import Line, assist17
from eventstore.record import COLUMNS
from projections.progress_summary import ProgressSummaries
from projections.projection import Projection
from workers.rebuild import rebuild
from workers.switch import drop_others

EVENTS = 90_586
"""Answers of the stream that the log is made of."""
COPIES = 6
"""Times that they are in the log."""
CORES = os.cpu_count() or 1
SPAN = timedelta(days=29)
"""What the stream's time is pressed into: nobody may report what is older."""


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Events a second; turns take the whole log, whatever the seconds."""
    del seconds
    return await on_uvloop(_measure(machine))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone: one rebuild."""
    del seconds
    return await on_uvloop(_profile(machine))


async def _measure(machine: Machine) -> list[Figure]:
    ours, theirs = [], []
    async with _log(machine) as (dsn, events):
        settle_memory()
        with (machine.directory / "copy").open("wb") as file:
            for _ in range(ROUNDS):
                ours.append(events / await _seconds(lambda: _rebuild(dsn, ProgressSummaries(), CORES)))
                await drop_others(dsn, ProgressSummaries())
                file.seek(0)
                theirs.append(events / await _seconds(lambda: _copy(dsn, file.write)))
    return [
        Figure(
            name="rebuild_vs_copy",
            value=median(ours),
            unit="events/s",
            peer="COPY of the same events",
            against=median(theirs),
        )
    ]


async def _profile(machine: Machine) -> Stats:
    async with _log(machine) as (dsn, _):
        settle_memory()
        return await profiled(_rebuild(dsn, ProgressSummaries(), processes=1))


async def _rebuild(dsn: str, projection: Projection, processes: int) -> None:
    async for _ in rebuild(dsn, projection, processes=processes):
        pass


async def _copy(dsn: str, write: Callable[[bytes], int]) -> None:
    connection = await asyncpg.connect(dsn)

    async def take(data: bytes) -> None:
        write(data)

    await connection.copy_from_query(f"select {COLUMNS} from events order by position", output=take)
    await connection.close()


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


@asynccontextmanager
async def _log(machine: Machine) -> AsyncIterator[tuple[str, int]]:
    """Fill a log, and put the live generation at its end, as if it had been projected: its rows are not looked at."""
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        await _fill(store, list(islice(assist17(), EVENTS)))
    owner = await asyncpg.connect(dsn)
    for n in range(1, COPIES):
        await owner.execute(_COPY, n, timeout=120)
    events = await owner.fetchval("select max(position) from events")
    await owner.execute("vacuum analyze events")
    await owner.execute(
        "update read.cursors set position = $1, event_id = (select event_id from events where position = $1)", events
    )
    await owner.close()
    yield dsn, events
    await machine.drop_database(dsn)


_COPY = """
with log as (select * from events where position <= (select max(position) / $1::int from events))
insert into events
select
    format, position + (select max(position) from events), get_byte(sha256(uuid_send(student)), 0) & 63,
    regexp_replace(stream, '[0-9a-f-]{36}$', student::text), version, gen_random_uuid(), type, schema, student,
    command_id, causation_id, correlation_id, actor, on_behalf_of, consent_id, traceparent, occurred_at, recorded_at,
    data, sealed, commitment
from log cross join lateral (select md5(subject::text || $1::int)::uuid as student) as other
order by position
"""
"""The n-th copy: the same events again, of other students, behind all others."""


async def _fill(store: OpenLog, lines: list[Line]) -> None:
    """Register each student at their first answer and record the answers in order, 256 at a time."""
    students: dict[str, UUID] = {}
    begin, stretch = datetime.now(UTC) - SPAN, SPAN / max(line.t for line in lines)
    for some in _in_batches(lines, 256):
        for line in some:
            if line.student_id not in students:
                students[line.student_id] = await register_student(store)
        await asyncio.gather(
            *(
                practise(
                    store,
                    students[line.student_id],
                    line.topic,
                    100 * line.score,
                    occurred_at=begin + line.t * stretch,
                )
                for line in some
            )
        )


def _in_batches(lines: Iterable[Line], size: int) -> Iterable[list[Line]]:
    remaining = iter(lines)
    while some := list(islice(remaining, size)):
        yield some
