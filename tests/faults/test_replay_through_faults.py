"""A learner log is played through the whole shape under torment, and its summaries come out byte by byte."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.cache import Cache
from adapters.migrations import migrate
from benchmarks.replay import Replayed, replay
from benchmarks.stream import ASSIST17, SHARED_DATA, assist17
from eventstore.codec import decode
from eventstore.connections import PROJECTOR, create_pool
from eventstore.reader import LogReader
from projections.get_progress_summary import GetProgressSummary
from projections.progress_summary import cache_key, render
from projections.projection import Seen
from tests.faults import oracle, verdict
from tests.faults.fanout_cards import FanoutCards
from tests.faults.journal import Journal
from tests.faults.meddler import Meddler
from tests.faults.proxy import Proxy
from tests.faults.system import System
from tests.faults.torment import QUEUES, Torment
from tests.faults.trial import SEED
from tests.journeys.test_replay import copy_log, fold_from_zero, rows_of, write_log
from tests.projections.history import summaries_of

ANSWERS = 90_586
OF_A_CLIENT = ("cut answer", "cut request", "reset everyone")
"""Cards for links between devices and the API, which this client does not use."""


@pytest.fixture
async def system(machine: Path) -> AsyncIterator[System]:
    async with System(machine / uuid4().hex, broker=True) as system:
        yield system


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_learner_log_comes_through_every_fault_and_folds_to_the_same_bytes(
    system: System, tmp_path: Path, empty_database: str, redis_url: str
) -> None:
    shared = SHARED_DATA / ASSIST17
    log = shared if shared.exists() else write_log(tmp_path, [line._asdict() for line in assist17()])
    journal = Journal()
    sys.stdout.write(f"to repeat: FAULT_SEED={SEED}\n")

    try:
        replayed = await replay_under_torment(system, log, journal)
    finally:
        sys.stdout.write(f"{journal.summary_of_faults()}\n{''.join(system.said[-30:])}")
    sys.stdout.write(f"{json.dumps(asdict(replayed))}\n")

    assert replayed.commands == ANSWERS
    assert replayed.mismatches == []
    assert len(journal.faults) > 20
    await judge(system)
    database = system.environment["AFTERSCHOOL_DATABASE_URL"]
    await migrate(empty_database)
    await copy_log(database, empty_database)
    await fold_from_zero(empty_database, redis_url)
    assert await rows_of(empty_database) == await rows_of(database)
    await compare_summaries(database, system.environment["AFTERSCHOOL_REDIS_URL"])


async def replay_under_torment(system: System, log: Path, journal: Journal) -> Replayed:
    """Play it, and deal faults until it is played."""
    assert system.second
    chance, url = random.Random(SEED), system.environment["AFTERSCHOOL_RABBITMQ_URL"]  # noqa: S311  repeatable
    async with Proxy("127.0.0.1", system.port) as proxy, Meddler(url, QUEUES, chance) as meddler:
        torment = Torment(system, proxy, journal, chance)
        torment.cards |= FanoutCards(system, system.second, meddler, chance).deck()
        for card in OF_A_CLIENT:
            del torment.cards[card]
        playing = asyncio.create_task(replay(log, system.url, run=uuid4().hex, concurrency=32, limit=None))
        while not playing.done():
            await torment.go_on(1.0)
        system.second.come_back()
        await system.settle()
        return await playing


async def judge(system: System) -> None:
    """Hold log, read models and counts against the oracle."""
    connection = await system.connect()
    rows = [dict(row) for row in await connection.fetch(oracle.LOG)]
    verdict.check_log(rows)
    assert sum(row["type"] == "ProgressRecorded" for row in rows) == ANSWERS
    await verdict.check_commands(connection, rows)
    await verdict.check_read_models(connection, oracle.lives(rows))
    await verdict.check_counts(connection, rows)
    await verdict.check_relay(connection, rows)
    await connection.close()


async def compare_summaries(database: str, redis_url: str) -> None:
    """Hold every student's summary, as it is answered and as it lies in Redis, against the log folded from zero."""
    pool, cache = await create_pool(database, PROJECTOR, size=2), Cache(redis_url)
    reader, seen = LogReader(pool), list[Seen]()
    while page := await reader.read(len(seen)):
        seen += [Seen(decode(record), record) for record in page]
    now, summaries = datetime.now(UTC), GetProgressSummary(pool, reader, cache)
    for student, summary in summaries_of(seen).items():
        expected = render(student, summary, now.astimezone(summary.zone).date())
        assert (await summaries.now(student, now)).body == expected
        assert await cache.get(cache_key(student)) == expected
    await cache.close()
    await pool.close()
