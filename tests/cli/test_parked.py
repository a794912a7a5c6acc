"""Parked: an operator sees whose events wait and why, and has them folded again or left out."""

import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from adapters.cache import Cache
from eventstore.connections import PROJECTOR, create_pool
from projections.progress_summary import cache_key
from tests.cli.conftest import Terminal, practise, register
from tests.cli.test_status import fold_everything
from tests.domain.people import REGISTERED
from tests.eventstore.conftest import Store
from tests.workers.conftest import new_projector
from workers.subscription import TailingSubscription

SECOND, THIRD = REGISTERED + 2, REGISTERED + 3
"""Positions of the reports that are parked: one that cannot be folded, and the one behind it."""


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def of_the_future(owner: asyncpg.Connection, position: int, *, schema: int = 99) -> None:
    """Let an event bear a schema that this release does not know, as after a step back from a newer one."""
    await owner.execute("alter table events disable trigger events_append_only")
    await owner.execute("update events set schema = $2 where position = $1", position, schema)
    await owner.execute("alter table events enable trigger events_append_only")


@pytest.fixture
async def victim(store: Store, owner: asyncpg.Connection, redis_url: str) -> UUID:
    """Return a student whose second report of three cannot be folded; another student's can."""
    student = await register(store)
    await practise(store, student, "fractions", "decimals", "angles")
    await practise(store, await register(store), "plants")
    await of_the_future(owner, SECOND)
    pool, cache = await create_pool(store.dsn, PROJECTOR, size=3), Cache(redis_url, timeout=5.0)
    subscription = TailingSubscription(store.reader, dict.fromkeys(range(64), 0))
    await new_projector(pool, cache).apply(await anext(aiter(subscription.deliveries())), apart=True)
    await cache.close()
    await pool.close()
    return student


async def test_nothing_is_parked_where_everything_was_folded(terminal: Terminal, store: Store, redis_url: str) -> None:
    await practise(store, await register(store), "fractions")
    await fold_everything(store, redis_url)

    shown = await terminal("parked", "list")

    assert (shown.exit_code, shown.stdout) == (0, "Nothing is parked.\n")


async def test_the_list_names_student_event_and_error(terminal: Terminal, victim: UUID) -> None:
    shown, told = await terminal("parked", "list"), await terminal("parked", "list", "--json")

    assert shown.exit_code == told.exit_code == 1
    for word in (str(victim), "progress_summary", "progress_records", "ProgressRecorded", "UnknownEvent"):
        assert word in shown.stdout
    first, second = json.loads(told.stdout)
    assert (first["student_id"], first["position"], first["events"], first["tries"]) == (str(victim), SECOND, 2, 1)
    assert [first["projection"], second["projection"]] == ["progress_records", "progress_summary"]


async def test_show_lists_the_events_of_a_student(terminal: Terminal, victim: UUID) -> None:
    shown = json.loads((await terminal("parked", "show", str(victim), "--json")).stdout)

    assert [(row["position"], row["error"]) for row in shown] == [(SECOND, "UnknownEvent"), (THIRD, "")] * 2
    assert "waits" in (await terminal("parked", "show", str(victim))).stdout
    assert "Nothing" in (await terminal("parked", "show", str(uuid4()))).stdout


async def test_retry_leaves_parked_what_still_cannot_be_folded(terminal: Terminal, victim: UUID) -> None:
    retried = await terminal("parked", "retry", str(victim))

    assert (retried.exit_code, retried.stdout) == (1, "Folded 0 events; 4 stay parked.\n")
    assert json.loads((await terminal("parked", "list", "--json")).stdout)[0]["tries"] == 2


async def test_retry_folds_what_was_mended_and_redis_forgets(
    terminal: Terminal, victim: UUID, owner: asyncpg.Connection, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(cache_key(victim), b"old")
        await of_the_future(owner, SECOND, schema=1)

        retried = await terminal("parked", "retry")

        assert (retried.exit_code, retried.stdout) == (0, "Folded 4 events; nothing stays parked.\n")
        assert await redis.get(cache_key(victim)) is None
    assert (await terminal("parked", "list")).exit_code == 0
    assert await owner.fetchval("select sum(records)::int from read.progress_topics where student_id = $1", victim) == 3


async def test_discard_leaves_one_event_out_and_folds_the_rest(
    terminal: Terminal, victim: UUID, owner: asyncpg.Connection
) -> None:
    discarded = await terminal("parked", "discard", str(victim), str(SECOND), "--yes")

    assert discarded.exit_code == 0
    assert "Left out of 2 read models; folded 2 events behind it, 0 stay parked." in discarded.stdout
    assert (await terminal("parked", "list")).exit_code == 0
    assert "discarded" in (await terminal("parked", "show", str(victim))).stdout
    assert await owner.fetchval("select sum(records)::int from read.progress_topics where student_id = $1", victim) == 2


async def test_discard_asks_first_and_refuses_what_is_not_parked(terminal: Terminal, victim: UUID) -> None:
    unasked = await terminal("parked", "discard", str(victim), str(SECOND))
    elsewhere = await terminal("parked", "discard", str(victim), str(SECOND - 1), "--yes")

    assert unasked.exit_code == 1
    assert (elsewhere.exit_code, "not parked" in elsewhere.stderr) == (1, True)
    assert (await terminal("parked", "list")).exit_code == 1
