"""Status: what is away or late is named, and the exit code tells a script."""

import json
from typing import Any

import asyncpg
import pytest

from adapters.cache import Cache
from adapters.embedded.loopback import free_port
from eventstore.connections import PROJECTOR, create_pool
from projections.read_models import READ_MODELS
from tests.cli.conftest import EMAIL, NAME, Terminal, practise, register
from tests.domain.people import REGISTERED
from tests.eventstore.conftest import Store
from tests.workers.conftest import new_projector
from tests.workers.students import erase
from workers.subscription import TailingSubscription

READERS = sorted(projection.name for projection in READ_MODELS)


async def fold_everything(store: Store, redis_url: str) -> None:
    pool, cache = await create_pool(store.dsn, PROJECTOR, size=3), Cache(redis_url, timeout=5.0)
    projector, head = new_projector(pool, cache), await store.reader.head()
    async for delivery in TailingSubscription(store.reader, await projector.cursors()).deliveries():
        await projector.apply(delivery)
        if delivery.position >= head and not delivery.slices[0].records:  # the heartbeat behind the last event
            break
    await cache.close()
    await pool.close()


async def append_old_event(database: str) -> None:
    """Copy the last event to the next position, as if recorded a minute ago; only the schema's owner can."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        """
        insert into events select (
            jsonb_populate_record(e, jsonb_build_object(
                'position', e.position + 1, 'version', e.version + 1, 'recorded_at', now() - interval '1 minute'
            ))
        ).* from events as e order by position desc limit 1
        """
    )
    await connection.close()


async def read(terminal: Terminal, **environment: str) -> tuple[int, dict[str, Any]]:
    shown = await terminal("status", "--json", **environment)
    return shown.exit_code, json.loads(shown.stdout)


@pytest.mark.usefixtures("auth")
async def test_all_is_well_when_everything_is_up_and_every_event_is_folded(
    terminal: Terminal, store: Store, redis_url: str
) -> None:
    await practise(store, await register(store), "fractions", "decimals")
    await fold_everything(store, redis_url)

    exit_code, status = await read(terminal)

    assert exit_code == 0
    assert status["well"]
    assert status["problems"] == []
    assert [machine["name"] for machine in status["machines"] if machine["up"]] == ["postgres", "valkey", "auth"]
    assert status["schema"]["applied"] == status["schema"]["newest"]
    assert status["head"] == REGISTERED + 2
    assert [reader["name"] for reader in status["readers"]] == READERS
    assert {(reader["position"], reader["lag_events"], reader["lag_seconds"]) for reader in status["readers"]} == {
        (REGISTERED + 2, 0, 0.0)
    }


@pytest.mark.usefixtures("auth")
async def test_an_empty_log_is_well(terminal: Terminal) -> None:
    exit_code, status = await read(terminal)

    assert exit_code == 0
    assert status["head"] == 0
    assert {reader["lag_events"] for reader in status["readers"]} == {0}


@pytest.mark.usefixtures("auth")
async def test_events_that_are_not_folded_yet_are_counted_and_a_moment_of_lag_is_well(
    terminal: Terminal, store: Store, redis_url: str
) -> None:
    student, other = await register(store), await register(store)
    await fold_everything(store, redis_url)
    await practise(store, student, "fractions", "decimals")
    await practise(store, other, "fractions")

    exit_code, status = await read(terminal)

    assert exit_code == 0
    assert {(reader["position"], reader["lag_events"]) for reader in status["readers"]} == {(2 * REGISTERED, 3)}
    assert all(0 < reader["lag_seconds"] < 10 for reader in status["readers"])


@pytest.mark.usefixtures("auth")
async def test_parts_that_merely_had_no_events_are_not_late(terminal: Terminal, store: Store, database: str) -> None:
    student = await register(store)
    await practise(store, student, "fractions", "decimals")
    [part] = {record.part for record in await store.reader.read(0)}
    connection = await asyncpg.connect(database)
    await connection.execute(
        "update read.cursors set position = $2, event_id = (select event_id from events where position = $2)"
        " where part = $1",
        part,
        await store.reader.head() - 1,
    )
    await connection.close()

    _, status = await read(terminal)

    assert {(reader["position"], reader["lag_events"]) for reader in status["readers"]} == {(0, 1)}


@pytest.mark.usefixtures("auth")
async def test_a_reader_more_than_ten_seconds_behind_is_a_problem(
    terminal: Terminal, store: Store, redis_url: str, database: str
) -> None:
    await register(store)
    await fold_everything(store, redis_url)
    await append_old_event(database)

    exit_code, status = await read(terminal)

    assert exit_code == 1
    assert not status["well"]
    assert [problem.split(" is ")[0] for problem in status["problems"]] == READERS
    assert {(reader["position"], reader["lag_events"]) for reader in status["readers"]} == {(REGISTERED, 1)}
    assert all(60 <= reader["lag_seconds"] < 120 for reader in status["readers"])


@pytest.mark.usefixtures("auth")
async def test_a_reader_that_knows_another_past_is_a_problem(terminal: Terminal, store: Store, database: str) -> None:
    await register(store)
    connection = await asyncpg.connect(database)
    await connection.execute(
        "update read.cursors set position = 1, event_id = gen_random_uuid() where projection = 'user_profile'"
    )
    await connection.close()

    exit_code, status = await read(terminal)

    assert exit_code == 1
    assert status["problems"] == ["user_profile disagrees with the log about the past and must be rebuilt"]


async def test_machines_that_are_away_are_named_and_the_rest_is_still_shown(terminal: Terminal) -> None:
    exit_code, status = await read(terminal, AFTERSCHOOL_REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0")

    assert exit_code == 1
    assert [problem.split(" (")[0] for problem in status["problems"]] == ["valkey is away", "auth is away"]
    assert status["head"] == 0
    assert "hunter2" not in json.dumps(status)


async def test_a_database_that_is_away_is_named_and_its_password_is_not(terminal: Terminal) -> None:
    url = f"postgresql://somebody:hunter2@127.0.0.1:{free_port()}/afterschool"

    shown = await terminal("status", AFTERSCHOOL_DATABASE_URL=url)
    _, status = await read(terminal, AFTERSCHOOL_DATABASE_URL=url)

    assert shown.exit_code == 1
    assert "postgres is away" in shown.stdout
    assert "hunter2" not in shown.output + json.dumps(status)
    assert status["head"] is None
    assert status["readers"] == []


@pytest.mark.usefixtures("auth")
async def test_a_database_without_a_schema_is_a_problem(terminal: Terminal, empty_database: str) -> None:
    exit_code, status = await read(terminal, AFTERSCHOOL_DATABASE_URL=empty_database)

    assert exit_code == 1
    assert [problem.split(",")[0] for problem in status["problems"]] == ["the schema is empty"]


@pytest.mark.usefixtures("auth")
async def test_people_read_a_table_and_nobodys_name(terminal: Terminal, store: Store, redis_url: str) -> None:
    await register(store)
    await fold_everything(store, redis_url)

    shown = await terminal("status")

    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in (*READERS, "postgres", "valkey", "auth", "log", "All is well."))
    assert NAME not in shown.output
    assert EMAIL not in shown.output


@pytest.mark.usefixtures("auth")
async def test_parked_events_are_a_problem(terminal: Terminal, store: Store, redis_url: str, database: str) -> None:
    await practise(store, await register(store), "fractions")
    await fold_everything(store, redis_url)
    owner = await asyncpg.connect(database)
    await owner.execute("update read.cursors set parked = 3 where projection = 'progress_summary' and part = 7")
    await owner.close()

    exit_code, status = await read(terminal)

    assert exit_code == 1
    assert status["problems"] == ["progress_summary has 3 parked events: afterschool parked list"]


@pytest.mark.usefixtures("auth")
async def test_the_relay_and_every_queue_are_looked_at_where_there_is_a_broker(
    terminal: Terminal, store: Store, redis_url: str, rabbitmq: str
) -> None:
    await practise(store, await register(store), "fractions")
    await fold_everything(store, redis_url)

    exit_code, status = await read(terminal, AFTERSCHOOL_RABBITMQ_URL=rabbitmq, AFTERSCHOOL_BROKER_QUEUES="3")
    shown = await terminal("status", AFTERSCHOOL_RABBITMQ_URL=rabbitmq, AFTERSCHOOL_BROKER_QUEUES="3")

    assert exit_code == 1
    assert [machine["name"] for machine in status["machines"] if machine["up"]][-1] == "rabbitmq"
    relay = next(reader for reader in status["readers"] if reader["name"] == "relay")
    assert (relay["position"], relay["lag_events"], relay["leads"]) == (0, REGISTERED + 1, False)
    missing = [f"the broker has no queue afterschool.students.v2.{n}-of-3" for n in range(3)]
    assert status["problems"] == ["no relay leads", *missing]
    assert all(problem in shown.stdout for problem in status["problems"])


@pytest.mark.usefixtures("auth")
async def test_a_broker_that_is_away_is_named_without_its_password(terminal: Terminal, database: str) -> None:
    del database
    _, status = await read(terminal, AFTERSCHOOL_RABBITMQ_URL=f"amqp://nobody:secret@127.0.0.1:{free_port()}/")

    assert [problem for problem in status["problems"] if problem.startswith("rabbitmq")] == [
        "rabbitmq is away (AMQPConnectionError)"
    ]
    assert "secret" not in json.dumps(status)


@pytest.mark.usefixtures("auth")
async def test_an_erasure_that_nobody_finishes_is_a_problem(
    terminal: Terminal, store: Store, redis_url: str, database: str
) -> None:
    await erase(store, await register(store))
    await fold_everything(store, redis_url)
    soon = await read(terminal)
    await append_old_event(database)

    exit_code, status = await read(terminal)

    assert soon[1]["unfinished_erasures"] == 0
    assert (exit_code, status["unfinished_erasures"]) == (1, 1)
    assert "erasures that nobody finishes: 1" in status["problems"]


@pytest.mark.usefixtures("auth")
async def test_a_transaction_left_open_is_a_problem(
    terminal: Terminal, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.status.TOO_LONG", 0.05)
    forgotten = await asyncpg.connect(database)
    await forgotten.execute("begin; select 1; select pg_sleep(0.1)")

    _, status = await read(terminal)
    await forgotten.close()

    assert any(problem.startswith("a transaction has been open for") for problem in status["problems"])
