"""The main job on a learner log: what was answered is what the summaries say, and what the log folds to again."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from adapters.cache import Cache
from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.loopback import free_port
from adapters.migrations import migrate
from adapters.settings import Settings
from api.app import create_app
from benchmarks.expected import expected_summaries, mismatches
from benchmarks.replay import replay
from benchmarks.stream import ASSIST17, SHARED_DATA, invent_stream
from eventstore.connections import PROJECTOR, create_pool
from eventstore.reader import LogReader
from tests.api.conftest import UNLIMITED, running
from tests.eventstore.conftest import key_set
from tests.workers.conftest import new_projector
from workers.run_projector import run_projector
from workers.subscription import TailingSubscription

LINES = 2000
READ_MODELS = (
    "select * from read.user_profile_g1 order by user_id",
    "select * from read.progress_records_g1 order by position",
    "select * from read.progress_students_g1 order by student_id",
    "select * from read.progress_topics_g1 order by student_id, subject, topic, source",
    "select * from read.progress_activity_g1 order by student_id, slot",
    "select projection, part, applied from read.cursors order by projection, part",
)


@pytest.fixture
def learner_log(tmp_path: Path) -> Path:
    """Return the real learner log, or an invented one of its shape on a machine that does not have it."""
    if (SHARED_DATA / ASSIST17).exists():
        return SHARED_DATA / ASSIST17
    return write_log(tmp_path, [line._asdict() for line in invent_stream(LINES)])


def write_log(directory: Path, lines: list[dict[str, Any]]) -> Path:
    file = directory / "log.jsonl.gz"
    with gzip.open(file, "wt", encoding="utf-8") as output:
        output.writelines(json.dumps(line) + "\n" for line in lines)
    return file


@pytest.fixture
async def url(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """Serve the API with a projector behind it and return the address."""
    auth_port, port = free_port(), free_port()
    auth = StandInSettings(
        database_url=database,
        url=f"http://127.0.0.1:{auth_port}",
        publishable_key="sb_publishable_test",
        secret_key="sb_secret_test",
        key_file=tmp_path / "auth.json",
    )
    settings = Settings.model_validate(
        {
            "database_url": database,
            "redis_url": redis_url,
            "supabase_url": auth.url,
            "supabase_publishable_key": auth.publishable_key,
            "supabase_secret_key": auth.secret_key,
            "master_keys": key_set(1),
            "fingerprint_keys": key_set(1),
            **UNLIMITED,
        }
    )
    app, stop = create_app(settings, registry=CollectorRegistry()), asyncio.Event()
    async with (
        open_stand_in(auth) as stand_in,
        running(stand_in.app, auth_port),
        app.router.lifespan_context(app),
        running(app, port),
    ):
        projecting = asyncio.create_task(run_projector(settings, stop))
        yield f"http://127.0.0.1:{port}"
        stop.set()
        await projecting


@pytest.fixture
async def fresh_database(empty_database: str) -> str:
    """Return a second database, with every migration applied and nothing in it."""
    await migrate(empty_database)
    return empty_database


async def test_a_learner_log_played_over_http_gives_the_figures_of_the_file_and_folds_to_the_same_rows(
    learner_log: Path, url: str, database: str, fresh_database: str, redis_url: str
) -> None:
    replayed = await replay(learner_log, url, run=uuid4().hex, concurrency=16, limit=LINES)

    assert replayed.commands == LINES
    assert replayed.mismatches == []
    await copy_log(database, fresh_database)
    await fold_from_zero(fresh_database, redis_url)
    assert await rows_of(fresh_database) == await rows_of(database)


async def test_a_replay_that_goes_on_with_its_run_records_nothing_twice(
    url: str, database: str, tmp_path: Path
) -> None:
    log, run = write_log(tmp_path, [line._asdict() for line in invent_stream(40)]), uuid4().hex

    await replay(log, url, run=run, concurrency=4, limit=25)
    replayed = await replay(log, url, run=run, concurrency=4, limit=None)

    assert replayed.mismatches == []
    assert await count(database, "ProgressRecorded") == 40


def test_a_summary_that_differs_from_the_file_is_told_of(tmp_path: Path) -> None:
    line = {"t": 1, "student_id": "someone", "subject": "math", "topic": "fractions"}
    log = write_log(tmp_path, [{**line, "score": score} for score in (100, 0, 100)])
    figures = {"records": 3, "mean_score": Decimal("66.67"), "best_score": 100, "last_score": 100}

    expected = expected_summaries(log)["someone"]

    assert mismatches(expected, a_summary(figures)) == []
    assert len(mismatches(expected, a_summary({**figures, "last_score": 0}))) == 1
    assert len(mismatches(expected, a_summary({**figures, "mean_score": Decimal("66.66")}))) == 1
    assert len(mismatches(expected, {**a_summary(figures), "subjects": []})) == 1


def a_summary(figures: dict[str, Any]) -> dict[str, Any]:
    topic = {"topic": "fractions", "self_reported": figures}
    return {
        "subjects": [{"subject": "math", "topics": [topic]}],
        "self_reported": {"records": 3},
        "graded": {"records": 0},
    }


async def copy_log(source: str, target: str) -> None:
    """Copy the events as they are; the read models of the target stay empty."""
    reading, writing = await asyncpg.connect(source), await asyncpg.connect(target)
    copied = bytearray()
    await reading.copy_from_table("events", output=into(copied), format="binary")
    await writing.copy_to_table("events", source=chunks(copied), format="binary")
    await reading.close()
    await writing.close()


async def chunks(data: bytearray) -> AsyncIterator[bytes]:
    yield bytes(data)


async def fold_from_zero(database: str, redis_url: str) -> None:
    """Fold the whole log once, from its first event to its head."""
    pool, cache = await create_pool(database, PROJECTOR, size=3), Cache(redis_url, timeout=5.0)
    projector, reader = new_projector(pool, cache), LogReader(pool)
    head = await reader.head()
    async for delivery in TailingSubscription(reader, await projector.cursors()).deliveries():
        await projector.apply(delivery)
        if delivery.position >= head:
            break
    await cache.close()
    await pool.close()


async def rows_of(database: str) -> list[bytes]:
    """Return every read model's rows as bytes."""
    connection = await asyncpg.connect(database)
    found = []
    for query in READ_MODELS:
        copied = bytearray()
        await connection.copy_from_query(query, output=into(copied), format="binary")
        found.append(bytes(copied))
    await connection.close()
    return found


def into(copied: bytearray) -> Callable[[bytes], Coroutine[None, None, None]]:
    async def keep(data: bytes) -> None:
        copied.extend(data)

    return keep


async def count(database: str, event_type: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        return int(await connection.fetchval("select count(*) from events where type = $1", event_type))
    finally:
        await connection.close()
