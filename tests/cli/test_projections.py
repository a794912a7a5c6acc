"""Projections: what an operator types to rebuild, switch, take back and audit a read model, and what it answers."""

import json
from uuid import UUID

import asyncpg
import pytest

from projections.read_models import READ_MODELS
from tests.cli.conftest import EMAIL, NAME, Terminal, practise, register
from tests.cli.test_status import fold_everything
from tests.domain.people import REGISTERED
from tests.eventstore.conftest import Store
from workers import generations
from workers.generations import changing

MODEL = "progress_summary"
HEAD = REGISTERED + 2


@pytest.fixture
async def student(store: Store, redis_url: str) -> UUID:
    """Return a student whose reports are projected."""
    student = await register(store)
    await practise(store, student, "fractions", "decimals")
    await fold_everything(store, redis_url)
    return student


async def states(terminal: Terminal) -> list[tuple[str, int, str, int, int]]:
    shown = await terminal("projections", "status", "--json")
    return [
        (row["name"], row["generation"], row["state"], row["position"], row["lag_events"])
        for row in json.loads(shown.stdout)
    ]


@pytest.mark.usefixtures("student")
async def test_a_read_model_is_rebuilt_switched_taken_back_and_cleared_away(terminal: Terminal) -> None:
    rebuilt = await terminal("projections", "rebuild", MODEL)
    assert f"Generation 2 of progress_summary is filled up to position {HEAD}" in rebuilt.stdout
    assert (MODEL, 2, "fed", HEAD, 0) in await states(terminal)

    switched = await terminal("projections", "switch", MODEL)
    assert switched.stdout == "Readers of progress_summary see generation 2 now; generation 1 stays fed.\n"
    assert (MODEL, 2, "live", HEAD, 0) in await states(terminal)

    taken_back = await terminal("projections", "rollback", MODEL)
    assert taken_back.stdout == "Readers of progress_summary see generation 1 now; generation 2 stays fed.\n"

    dropped = await terminal("projections", "drop", MODEL)
    assert dropped.stdout == "Generation 2 of progress_summary is dropped.\n"
    assert [state for state in await states(terminal) if state[0] == MODEL] == [(MODEL, 1, "live", HEAD, 0)]
    assert "no generation" in (await terminal("projections", "drop", MODEL)).stdout


@pytest.mark.usefixtures("student")
async def test_all_are_rebuilt_at_once_and_what_was_in_the_way_is_named(terminal: Terminal) -> None:
    await terminal("projections", "rebuild", MODEL)

    rebuilt = await terminal("projections", "rebuild", "--all")

    assert rebuilt.exit_code == 0
    assert rebuilt.stdout.count("Generation 2 of") == len(READ_MODELS)
    assert rebuilt.stderr == "Generation 2 of progress_summary, which was not live, is dropped.\n"
    assert len(await states(terminal)) == 2 * len(READ_MODELS)


@pytest.mark.parametrize(
    "arguments", [["rebuild"], ["rebuild", MODEL, "--all"], ["rebuild", "marks"], ["switch", "marks"]]
)
async def test_what_is_no_read_model_is_refused(terminal: Terminal, arguments: list[str]) -> None:
    assert (await terminal("projections", *arguments)).exit_code == 2


@pytest.mark.parametrize("command", ["switch", "rollback"])
async def test_a_switch_to_nothing_is_refused_in_a_sentence(terminal: Terminal, command: str) -> None:
    shown = await terminal("projections", command, MODEL)

    assert shown.exit_code == 1
    assert shown.stderr.startswith("Generation 1 of progress_summary is live")


async def test_a_second_rebuild_is_refused_while_one_is_at_work(
    terminal: Terminal, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "PATIENCE", 0.2)
    async with changing(database, MODEL):
        shown = await terminal("projections", "rebuild", MODEL)

    assert shown.exit_code == 1
    assert shown.stderr == "Another rebuild, switch or drop of progress_summary is at work.\n"


async def test_a_generation_that_differs_is_refused_by_part_and_student(
    terminal: Terminal, student: UUID, database: str
) -> None:
    await terminal("projections", "rebuild", MODEL)
    await execute(database, "update read.progress_topics_g2 set time_spent = 1")

    shown = await terminal("projections", "switch", MODEL)
    accepted = await terminal("projections", "switch", MODEL, "--accept-differences")

    assert (shown.exit_code, accepted.exit_code) == (1, 1)
    assert f"1 students ({student})" in shown.stderr
    assert f"is not what the log says of {student}" in accepted.stderr


async def test_an_audit_says_what_it_proved(terminal: Terminal, student: UUID) -> None:
    assert student
    shown = await terminal("projections", "audit")
    as_json = json.loads((await terminal("projections", "audit", "--json")).stdout)

    assert shown.exit_code == 0
    assert "progress_summary, generation 1 (live): 3 applied and 0 parked of 3 in the log" in shown.stdout
    assert "1 students and 0 questions folded again" in shown.stdout
    assert shown.stdout.endswith("Nothing differs.\n")
    assert as_json["differences"] == []
    assert as_json["students"] == 1


async def test_an_audit_names_every_difference_and_ends_with_1(
    terminal: Terminal, student: UUID, database: str
) -> None:
    await execute(database, "delete from read.progress_topics_g1 where topic = 'decimals'")

    shown = await terminal("projections", "audit")

    assert shown.exit_code == 1
    expected = "progress_topics has 1 rows, 2 by the log"
    assert f"DIFFERS  progress_summary, generation 1, student {student}: {expected}\n" in shown.stdout
    assert NAME not in shown.output
    assert EMAIL not in shown.output
    assert "decimals" not in shown.output


async def test_people_read_a_table(terminal: Terminal) -> None:
    shown = await terminal("projections", "status")

    assert all(word in shown.stdout for word in ("user_profile", "progress_records", MODEL, "live"))


@pytest.mark.parametrize("arguments", [["status"], ["rebuild", MODEL], ["switch", MODEL], ["audit"]], ids=" ".join)
async def test_a_database_without_a_schema_or_away_is_told_in_a_sentence(
    terminal: Terminal, empty_database: str, arguments: list[str]
) -> None:
    empty = await terminal("projections", *arguments, AFTERSCHOOL_DATABASE_URL=empty_database)
    away = await terminal("projections", *arguments, AFTERSCHOOL_DATABASE_URL="postgresql://nobody:x@127.0.0.1:1/no")

    assert (empty.exit_code, away.exit_code) == (1, 3)
    assert "afterschool migrate" in empty.stderr


async def execute(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(statement)
    await connection.close()
