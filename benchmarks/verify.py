"""Verify: the evidence leaves of a whole log, computed again by the database.

Postgres does the work; this process only asks. There is no tree to compare with yet (the notary comes later), so
this is the scan alone; its digest is checked against the leaves computed in Python.
"""

import time
from functools import partial
from hashlib import sha256
from pstats import Stats
from statistics import median

from benchmarks.figure import ROUNDS, Figure, on_uvloop, profiled, rate
from benchmarks.log import OpenLog, open_log, practise_much, register_student
from benchmarks.machine import Machine
from eventstore.record import leaf

EVENTS = 50_000
_LEAVES = """
select sha256(string_agg(leaf, ''::bytea order by position))
from (select position, event_leaf(events) as leaf from events) as leaves
"""


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Leaves a second, of a log of fifty thousand events."""
    del seconds
    return await on_uvloop(_measure(machine))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile this process, which mostly waits: the work is Postgres's."""
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        await _fill(store)
        found = await profiled(rate([partial(_scan, store)], seconds))
    await machine.drop_database(dsn)
    return found


async def _measure(machine: Machine) -> list[Figure]:
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        events = await _fill(store)
        await store.pool.execute("analyze events")
        assert await _scan(store) == await _in_python(store)
        found = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await _scan(store)
            found.append(events / (time.perf_counter() - began))
    await machine.drop_database(dsn)
    return [Figure(name="verify_events_per_second", value=median(found), unit="events/s")]


async def _fill(store: OpenLog) -> int:
    student = await register_student(store)
    for _ in range(EVENTS // 500):
        await practise_much(store, student, 500)
    return await store.reader.head()


async def _scan(store: OpenLog) -> bytes:
    return bytes(await store.pool.fetchval(_LEAVES))


async def _in_python(store: OpenLog) -> bytes:
    digest, after = sha256(), 0
    while page := await store.reader.read(after):
        for record in page:
            digest.update(leaf(record))
        after = page[-1].position
    return digest.digest()
