"""Append: commands into the log with all guarantees on, against the library's recorder and against bare inserts.

This process decides, encodes and sends on one thread; Postgres appends in one backend. The recorder's threads live in
this process too; pgbench is a process of its own.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pstats import Stats
from uuid import UUID

from benchmarks.figure import Figure, Side, in_turns, on_uvloop, profiled, rate
from benchmarks.library_recorder import LibraryRecorder
from benchmarks.log import OpenLog, open_log, practise, practise_much, register_student
from benchmarks.machine import Machine
from benchmarks.pgbench import CLIENTS, Pgbench

CALLERS = 256
FEWER_CALLERS = 64
DATA = '{"subject":"math","topic":"fractions","score":5000,"time_spent":60,"completed":true,"source":"self_reported"}'


async def measure_256(machine: Machine, seconds: float) -> list[Figure]:
    """One-event commands from 256 callers, each a student who records progress."""
    return await on_uvloop(_measure_256(machine, seconds))


async def measure_10_events(machine: Machine, seconds: float) -> list[Figure]:
    """Events a second with ten events a command, against one event a command."""
    return await on_uvloop(_measure_10_events(machine, seconds))


async def profile_256(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone."""
    return await on_uvloop(_profile(machine, seconds, _one_event_each))


async def profile_10_events(machine: Machine, seconds: float) -> Stats:
    """Profile our side alone."""
    return await on_uvloop(_profile(machine, seconds, partial(_some_events_each, events=10)))


async def _profile(machine: Machine, seconds: float, make: Callable[[OpenLog, list[UUID]], Side]) -> Stats:
    async with _appending(machine) as (store, students):
        return await profiled(make(store, students)(seconds))


async def _measure_256(machine: Machine, seconds: float) -> list[Figure]:
    peers = await machine.empty_database()
    library, pgbench = LibraryRecorder(peers, DATA.encode()), Pgbench(peers, machine.directory, DATA)
    try:
        await pgbench.prepare()
        await library.find_best(seconds)
        async with _appending(machine) as (store, students):
            value, recorder, inserts = await in_turns(
                _one_event_each(store, students), library.rate, pgbench.rate, seconds=seconds
            )
    finally:
        library.close()
        await machine.drop_database(peers)
    return [
        Figure(
            name="append_256_vs_eventsourcing",
            value=value,
            unit="commands/s",
            peer=f"the library's recorder, {library.threads} threads",
            against=recorder,
        ),
        Figure(
            name="append_256_vs_pgbench",
            value=value,
            unit="commands/s",
            peer=f"pgbench, bare inserts, {CLIENTS} clients",
            against=inserts,
        ),
    ]


async def _measure_10_events(machine: Machine, seconds: float) -> list[Figure]:
    async with _appending(machine) as (store, students):
        ten, one = await in_turns(
            _some_events_each(store, students, 10), _some_events_each(store, students, 1), seconds=seconds
        )
    return [
        Figure(
            name="append_10_events_vs_1",
            value=ten,
            unit="events/s",
            peer=f"one event a command, {FEWER_CALLERS} callers",
            against=one,
        )
    ]


@asynccontextmanager
async def _appending(machine: Machine) -> AsyncIterator[tuple[OpenLog, list[UUID]]]:
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        students = [await register_student(store) for _ in range(CALLERS)]
        await _one_event_each(store, students)(0.5)
        yield store, students
    await machine.drop_database(dsn)


def _one_event_each(store: OpenLog, students: list[UUID]) -> Side:
    return partial(rate, [partial(practise, store, student) for student in students])


def _some_events_each(store: OpenLog, students: list[UUID], events: int) -> Side:
    async def side(seconds: float) -> float:
        callers = [partial(practise_much, store, student, events) for student in students[:FEWER_CALLERS]]
        return events * await rate(callers, seconds)

    return side
