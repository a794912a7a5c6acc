"""Everything is killed at random under load: nothing is lost, nothing happens twice, every read is true."""

import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.oracle import LOG, lives
from tests.faults.system import System
from tests.faults.torment import RESIDENTS, Town
from tests.faults.verdict import (
    check_commands,
    check_journal,
    check_log,
    check_read_models,
    check_reads,
    is_redis_true,
)
from tests.workers.running import eventually

SEED = int(os.environ.get("FAULT_SEED", secrets.randbelow(1_000_000)))
SHORT = 15.0
LONG = float(os.environ.get("FAULT_SECONDS", "900"))
CALM = frozenset({"POST 200", "POST 201", "POST 422", "POST 503", "GET 200", "GET 503"})
"""What a request may be answered, whatever is dead; every other answer is an unhandled fault of ours."""


@pytest.fixture
async def system(machine: Path) -> AsyncIterator[System]:
    async with System(machine / uuid4().hex) as system:
        yield system


async def test_nothing_is_lost_or_doubled_whatever_is_killed(system: System) -> None:
    await live_and_judge(system, seconds=SHORT, rounds=3)


@pytest.mark.long
@pytest.mark.timeout(LONG + 1200)
async def test_nothing_is_lost_or_doubled_however_long_it_goes_on(system: System) -> None:
    await live_and_judge(system, seconds=LONG, rounds=max(1, round(LONG / 60)))


async def live_and_judge(system: System, *, seconds: float, rounds: int) -> None:
    sys.stdout.write(f"to repeat: FAULT_SEED={SEED} FAULT_SECONDS={seconds}\n")
    async with Town(system, SEED) as town:
        try:
            for _ in range(rounds):
                await town.live_through(seconds / rounds)
                await judge(system, town)
        finally:
            sys.stdout.write(f"{town.journal.summary()}\n{''.join(system.said[-30:])}")
    assert town.journal.acknowledged > 100


async def judge(system: System, town: Town) -> None:
    """Hold everything that was seen and everything that is stored against the log."""
    journal, connection = town.journal, await system.connect()
    rows = [dict(row) for row in await connection.fetch(LOG)]
    everyone = lives(rows)
    check_log(rows)
    await check_commands(connection, rows)
    check_journal(journal, rows)
    await check_read_models(connection, everyone)
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
