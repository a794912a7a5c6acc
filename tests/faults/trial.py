"""Trial: a town lives through a seed's worth of faults, and everything it did is judged."""

import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.oracle import LOG, lives
from tests.faults.system import System
from tests.faults.torment import RESIDENTS, Town
from tests.faults.verdict import (
    check_commands,
    check_counts,
    check_journal,
    check_log,
    check_read_models,
    check_reads,
    check_relay,
    is_redis_true,
)
from tests.workers.running import eventually

SEED = int(os.environ.get("FAULT_SEED", secrets.randbelow(1_000_000)))
MINUTE = 60.0
LONGEST = float(os.environ.get("FAULT_SECONDS", "1800"))
COMMANDS, FAULTS = 20_000, 100
"""What a long trial is made of at least."""
CALM = frozenset({"POST 200", "POST 201", "POST 422", "POST 503", "GET 200", "GET 503"})
"""What a request may be answered, whatever is dead; every other answer is an unhandled fault of ours."""


async def short_trial(system: System, *, seconds: float, rounds: int) -> None:
    """Judge so many times."""
    async with tormented(system) as town:
        for _ in range(rounds):
            await town.live_through(seconds / rounds)
            await judge(system, town)
    assert town.journal.acknowledged > 100


async def long_trial(system: System) -> None:
    """Judge once a minute, until there were enough commands and enough faults."""
    began = time.monotonic()
    async with tormented(system) as town:
        while town.journal.acknowledged < COMMANDS or town.journal.faults.total() < FAULTS:
            assert time.monotonic() < began + LONGEST, "this machine is too slow to show anything in that time"
            await town.live_through(MINUTE)
            await judge(system, town)


@asynccontextmanager
async def tormented(system: System) -> AsyncIterator[Town]:
    """Open a town on the system, and say in the end what it went through."""
    sys.stdout.write(f"to repeat: FAULT_SEED={SEED}\n")
    async with Town(system, SEED) as town:
        try:
            yield town
        except BaseException:
            sys.stdout.write(f"something does not hold, or does not recover\n{system.last_words()}\n")
            raise
        finally:
            sys.stdout.write(f"{''.join(system.said[-30:])}\n{town.journal.summary()}\n")
        sys.stdout.write("violations of what must hold: none\n")


async def judge(system: System, town: Town) -> None:
    """Hold everything that was seen and everything that is stored against the log."""
    journal, connection = town.journal, await system.connect()
    rows = [dict(row) for row in await connection.fetch(LOG)]
    everyone = lives(rows)
    check_log(rows)
    await check_commands(connection, rows)
    check_journal(journal, rows)
    await check_read_models(connection, everyone)
    await check_counts(connection, rows)
    if system.second:
        await check_relay(connection, rows)
    await connection.close()
    async with system.redis() as redis:
        await eventually(lambda: is_redis_true(redis, everyone), within=5)  # and nobody reads meanwhile

        async def everybody_is_cached() -> bool:
            await town.look()
            return await is_redis_true(redis, everyone, at_least=RESIDENTS)

        await eventually(everybody_is_cached)
    check_reads(journal, everyone)
    assert journal.complaints == []
    assert {said for said in journal.statuses if said.partition(" ")[2]} <= CALM
    journal.reads.clear()
