"""Append refuses: what can't be stored fails alone; a full queue and a wrong clock say so."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domain.errors import ClocksDiffer, LogBusy, LogUnavailable
from eventstore.append import Accepted
from eventstore.appender import Appender
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store
from tests.eventstore.foreign import holding, waiting_for_the_lock

POISONS: dict[str, dict[str, object]] = {
    "a number where text belongs": {"type": 7},
    "text where a number belongs": {"part": "7"},
    "a number out of range": {"schema": 40_000},
    "a part that does not exist": {"part": 64},
    "a NUL in text": {"type": "Te\x00sted"},
    "a NUL in data": {"data": '"a\x00b"'},
    "a lone surrogate": {"data": '"\ud800"'},
    "data that is not JSON": {"data": '{"a":'},
    "no data": {"data": None},
    "a time that is none": {"occurred_at": "yesterday"},
    "a version taken twice by one command": {"version": 1},
}


def clock_off_by(seconds: int) -> Callable[[], datetime]:
    """Return a process's clock that is ahead or behind."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
async def test_a_poisonous_command_fails_alone(store: Store, poison: dict[str, Any]) -> None:
    guilty = an_append(("a", 1), ("a", END))
    poisoned = replace(guilty, rows=[guilty.rows[0], guilty.rows[1]._replace(**poison)])

    before, failure, after = await asyncio.gather(
        store.appender.append(an_append(("b", END))),
        store.appender.append(poisoned),
        store.appender.append(an_append(("b", END))),
        return_exceptions=True,
    )

    assert isinstance(before, Accepted)
    assert isinstance(failure, Exception)
    assert not isinstance(failure, LogUnavailable)
    assert isinstance(after, Accepted)
    assert [(r.stream, r.version) for r in await store.reader.read(0)] == [("b", 1), ("b", 2)]
    assert await store.reader.command(guilty.command_id) is None


async def test_a_fault_of_our_own_is_told_to_the_callers_and_ends_nothing(database: str) -> None:
    broken = iter([True, True, True])

    def clock() -> datetime:
        if next(broken, False):
            raise ArithmeticError
        return datetime.now(UTC)

    appender = Appender(database, clock=clock)
    await appender.start()

    async with asyncio.timeout(10):
        faults = await asyncio.gather(
            *(appender.append(an_append(("a", END))) for _ in range(2)), return_exceptions=True
        )
        verdict = await appender.append(an_append(("a", END)))

    assert [type(fault) for fault in faults] == [ArithmeticError] * 2
    assert isinstance(verdict, Accepted)
    await appender.stop()


async def test_the_appender_goes_on_after_a_poisonous_command(store: Store) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await store.appender.append(an_append(("a", END), data="not json"))

    assert isinstance(await store.appender.append(an_append(("a", END))), Accepted)


async def test_a_full_queue_refuses_the_next_command_and_keeps_the_others(database: str) -> None:
    appender = Appender(database, queue_limit=2)
    waiting = [asyncio.ensure_future(appender.append(an_append(("a", END)))) for _ in range(2)]
    await asyncio.sleep(0)  # both are queued; nobody appends yet

    with pytest.raises(LogBusy):
        await appender.append(an_append(("a", END)))

    await appender.start()
    assert [type(verdict) for verdict in await asyncio.gather(*waiting)] == [Accepted, Accepted]
    await appender.stop()


async def test_stopping_appends_what_waits_and_takes_nothing_more(database: str) -> None:
    appender = Appender(database)
    await appender.start()
    waiting = [asyncio.ensure_future(appender.append(an_append(("a", END)))) for _ in range(3)]
    await asyncio.sleep(0)

    await appender.stop()

    assert all(isinstance(task.result(), Accepted) for task in waiting)
    with pytest.raises(LogBusy):
        await appender.append(an_append(("a", END)))


@pytest.mark.parametrize("seconds", [-62, 62])
async def test_nothing_is_recorded_while_the_clocks_differ(store: Store, seconds: int) -> None:
    appender = Appender(store.dsn, clock=clock_off_by(seconds))
    await appender.start()

    results = await asyncio.gather(*(appender.append(an_append(("a", END))) for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [ClocksDiffer] * 3
    assert await store.reader.head() == 0
    await appender.stop()


@pytest.mark.parametrize("seconds", [-55, 55])
async def test_clocks_may_differ_a_little(store: Store, seconds: int) -> None:
    appender = Appender(store.dsn, clock=clock_off_by(seconds))
    await appender.start()

    verdict = await appender.append(an_append(("a", END)))

    assert isinstance(verdict, Accepted)
    assert abs(verdict.recorded_at - datetime.now(UTC)) < timedelta(seconds=30)  # the database's clock, not ours
    await appender.stop()


async def test_recorded_at_never_goes_back_when_the_databases_clock_does(store: Store) -> None:
    accepted = await store.appender.append(an_append(("a", 1)))
    assert isinstance(accepted, Accepted)
    later = accepted.recorded_at + timedelta(minutes=7)
    await record_at(store.dsn, position=2, recorded_at=later)

    verdicts = [await store.appender.append(an_append(("a", END))) for _ in range(2)]

    assert [v.recorded_at for v in verdicts if isinstance(v, Accepted)] == [later, later]
    assert [record.recorded_at for record in await store.reader.read(1)] == [later, later, later]


async def record_at(dsn: str, position: int, recorded_at: datetime) -> None:
    """Put an event into the log as a database whose clock was ahead did."""
    owner = await asyncpg.connect(dsn)
    await owner.execute(
        """
        insert into events
        select (jsonb_populate_record(e, jsonb_build_object(
            'position', $1::bigint, 'stream', 'ahead', 'recorded_at', $2::timestamptz))).*
        from events e where position = $1::bigint - 1
        """,
        position,
        recorded_at,
    )
    await owner.close()


async def test_appends_stay_in_line_whatever_isolation_the_database_prefers(store: Store) -> None:
    await prefer(store.dsn, "default_transaction_isolation", "'repeatable read'")
    appenders = [Appender(store.dsn) for _ in range(3)]
    for appender in appenders:
        await appender.start()

    async with holding(store.dsn, an_append(("a", END))) as held:
        appends = [asyncio.ensure_future(appender.append(an_append(("a", END)))) for appender in appenders]
        await waiting_for_the_lock(store.dsn, 3)
        await held.commit()
        verdicts = await asyncio.gather(*appends)

    assert sorted(v.first for v in verdicts if isinstance(v, Accepted)) == [2, 3, 4]
    await asyncio.gather(*(appender.stop() for appender in appenders))


async def test_commits_are_durable_whatever_the_database_prefers(store: Store) -> None:
    await prefer(store.dsn, "synchronous_commit", "off")

    await store.appender.append(an_append(("a", END)))

    assert store.appender._connection
    assert await store.appender._connection.fetchval("show synchronous_commit") == "on"


async def prefer(dsn: str, setting: str, value: str) -> None:
    """Change a default of this database alone."""
    owner = await asyncpg.connect(dsn)
    name = await owner.fetchval("select current_database()")
    await owner.execute(f"alter database {name} set {setting} = {value}")
    await owner.close()
