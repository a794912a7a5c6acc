"""Events: followed, shown and exported exactly as the log has them, and never a name."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.embedded.loopback import free_port
from cli.event_lines import printable
from cli.export import Selection
from domain.errors import LogBroken
from eventstore.record import COLUMNS, Record, leaf
from eventstore.sealing import key_id_of
from tests.cli.conftest import EMAIL, NAME, Terminal, practise, register
from tests.domain.people import REGISTERED
from tests.eventstore.conftest import Store

UUIDS = {"event_id", "subject", "command_id", "causation_id", "correlation_id", "actor", "on_behalf_of", "consent_id"}
TIMES = {"occurred_at", "recorded_at"}


async def remove_event(database: str, position: int) -> None:
    """Break the log, as only its owner can, with the trigger off."""
    connection = await asyncpg.connect(database)
    await connection.execute("alter table events disable trigger events_append_only")
    await connection.execute("delete from events where position = $1", position)
    await connection.close()


def record_of(line: str) -> Record:
    """Build the record that an exported line tells of, the text of `data` cut out as it stands."""
    fields = json.loads(line)
    data = line[line.index(',"data":') + len(',"data":') : -1]
    values: dict[str, object] = {name: fields[name] for name in COLUMNS.split(", ")} | {"data": data}
    for name in UUIDS:
        values[name] = UUID(fields[name]) if fields[name] else None
    for name in TIMES:
        values[name] = datetime.fromisoformat(fields[name])
    values["sealed"] = b64decode(fields["sealed"]) if fields["sealed"] else None
    values["commitment"] = bytes.fromhex(fields["commitment"]) if fields["commitment"] else None
    return Record(**values)  # type: ignore[arg-type]


async def test_an_export_holds_every_column_and_proves_the_same_leaves(terminal: Terminal, store: Store) -> None:
    await practise(store, await register(store), "fractions", "decimals")

    shown = await terminal("events", "export", "--with-sealed")

    records = await store.reader.read(0)
    assert shown.exit_code == 0
    assert [record_of(line) for line in shown.stdout.splitlines()] == records
    assert [leaf(record_of(line)) for line in shown.stdout.splitlines()] == [leaf(record) for record in records]
    head = REGISTERED + 2
    assert shown.stderr == f"{head} events, up to position {head}; go on with --after {head}.\n"


async def test_sealed_fields_are_left_out_unless_asked_for_and_then_stay_sealed(
    terminal: Terminal, store: Store
) -> None:
    await register(store, allowed=False)
    [record] = await store.reader.read(0)
    assert record.sealed

    without, having = await terminal("events", "export"), await terminal("events", "export", "--with-sealed")

    assert "sealed" not in json.loads(without.stdout)
    assert json.loads(without.stdout)["key_id"] == str(key_id_of(record.sealed))
    assert json.loads(without.stdout)["sealed_bytes"] == len(record.sealed)
    assert b64decode(json.loads(having.stdout)["sealed"]) == record.sealed


async def test_no_command_prints_a_name_or_an_email(terminal: Terminal, store: Store) -> None:
    await register(store)

    shown = [
        await terminal("events", "export"),
        await terminal("events", "export", "--with-sealed"),
        await terminal("events", "show", "1"),
        await terminal("events", "show", "1", "--json"),
    ]

    assert all(one.exit_code == 0 for one in shown)
    assert not any(secret in one.output for one in shown for secret in (NAME, "Lovelace", EMAIL, "pictures"))


async def test_an_export_takes_only_what_is_asked_for(terminal: Terminal, store: Store) -> None:
    student, other = await register(store), await register(store)
    await practise(store, student, "fractions")
    await practise(store, other, "decimals")
    registered, allowed, practised = (1, 3), (2, 4), (5, 6)

    async def positions(*options: str) -> list[int]:
        shown = await terminal("events", "export", "--format", "ndjson", *options)
        return [json.loads(line)["position"] for line in shown.stdout.splitlines()]

    assert await positions("--type", "ProgressRecorded") == [*practised]
    assert await positions("--type", "ProgressRecorded", "--type", "UserRegistered") == [*registered, *practised]
    assert await positions("--subject", str(student)) == [registered[0], allowed[0], practised[0]]
    assert await positions("--subject", str(student), "--type", "ProgressRecorded") == [practised[0]]
    assert await positions("--after", "1", "--up-to", "3") == [2, 3]
    assert await positions("--after", "5", "--up-to", "99") == [6]
    assert await positions("--after", "99") == []


async def test_an_export_to_a_file_is_gone_on_with_and_a_torn_line_is_mended(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    await practise(store, await register(store), "fractions", "decimals")
    whole, parted = tmp_path / "whole.ndjson", tmp_path / "parted.ndjson"
    await terminal("events", "export", "--output", str(whole))

    first = await terminal("events", "export", "--up-to", "2", "--output", str(parted))
    with parted.open("ab") as torn:
        torn.write(whole.read_bytes().splitlines()[2][:50])
    rest = await terminal("events", "export", "--after", "2", "--output", str(parted))

    assert first.stderr == "2 events, up to position 2; go on with --after 2.\n"
    assert (rest.exit_code, rest.stdout) == (0, "")
    assert parted.read_bytes() == whole.read_bytes()
    assert parted.stat().st_mode & 0o777 == 0o600


async def test_an_export_never_repeats_events_in_a_file(terminal: Terminal, store: Store, tmp_path: Path) -> None:
    await practise(store, await register(store), "fractions", "decimals")
    file = tmp_path / "events.ndjson"
    await terminal("events", "export", "--output", str(file))
    before = file.read_bytes()

    refused = await terminal("events", "export", "--after", "2", "--output", str(file))

    assert refused.exit_code == 1
    head = REGISTERED + 2
    assert f"ends with position {head}: go on with --after {head}" in refused.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", ["my notes", "my\nnotes\n", '{"format":1}\n{"torn', '{"format":1,"position":[]}\n'])
async def test_another_file_is_left_alone(terminal: Terminal, tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes"
    file.write_text(content, encoding="utf-8")

    refused = await terminal("events", "export", "--output", str(file))

    assert refused.exit_code == 1
    assert "is not an export of events" in refused.stderr
    assert file.read_text(encoding="utf-8") == content


async def test_an_export_can_go_to_a_device(terminal: Terminal, store: Store) -> None:
    await register(store, allowed=False)

    shown = await terminal("events", "export", "--output", os.devnull)

    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr.startswith("1 events")


async def test_a_file_that_cannot_be_written_is_told(terminal: Terminal, tmp_path: Path) -> None:
    refused = await terminal("events", "export", "--output", str(tmp_path / "nowhere" / "events.ndjson"))

    assert refused.exit_code == 1
    assert "No such file or directory" in refused.stderr


async def test_pages_join_without_a_seam_whatever_their_size(store: Store) -> None:
    student, other = await register(store), await register(store)
    await practise(store, student, *("fractions",) * 5)
    await practise(store, other, *("decimals",) * 3)
    head = 2 * REGISTERED + 5 + 3
    whole = Selection(after=1, up_to=head - 1)
    filtered = Selection(after=0, up_to=head, types=["ProgressRecorded"], subject=other)

    async def positions(selection: Selection, window: int, limit: int) -> list[int]:
        pages = selection.pages(store.reader, window=window, limit=limit)
        return [record.position async for _, page in pages for record in page]

    sizes = [(window, limit) for window in (1, 3, 4, 100) for limit in (1, 2, 3, 100)]
    assert [await positions(whole, *size) for size in sizes] == [list(range(2, head))] * len(sizes)
    assert [await positions(filtered, *size) for size in sizes] == [[head - 2, head - 1, head]] * len(sizes)


@pytest.mark.parametrize("missing", [1, 2])
async def test_an_export_stops_at_a_hole(terminal: Terminal, store: Store, database: str, missing: int) -> None:
    await practise(store, await register(store), "fractions", "decimals")
    await remove_event(database, missing)

    shown = await terminal("events", "export")

    assert (shown.exit_code, shown.stdout) == (1, "")
    assert LogBroken().message in shown.stderr


async def test_a_hole_at_the_end_of_a_page_is_no_end_of_the_log(store: Store, database: str) -> None:
    await practise(store, await register(store), "fractions", "decimals")
    await remove_event(database, 2)

    with pytest.raises(LogBroken):
        async for _ in Selection(after=0, up_to=3).pages(store.reader, window=2):
            pass


async def test_an_event_is_shown_by_its_position_and_by_its_id(terminal: Terminal, store: Store) -> None:
    await practise(store, await register(store), "fractions")
    [record] = await store.reader.read(REGISTERED)
    position = str(record.position)

    by_position, by_id = [await terminal("events", "show", which) for which in (position, str(record.event_id))]
    as_json = json.loads((await terminal("events", "show", position, "--json")).stdout)

    assert by_position.exit_code == 0
    assert by_position.stdout == by_id.stdout
    assert all(str(value) in by_position.stdout for value in record if value is not None)
    assert leaf(record).hex() in by_position.stdout
    assert as_json["leaf"] == leaf(record).hex()
    assert as_json["data"] == json.loads(record.data)


async def test_what_is_sealed_is_shown_as_sealed_with_its_key(terminal: Terminal, store: Store) -> None:
    await register(store, allowed=False)
    [record] = await store.reader.read(0)
    assert record.sealed

    shown = await terminal("events", "show", "1")

    assert f"{len(record.sealed)} bytes under key {key_id_of(record.sealed)}" in shown.stdout


async def test_an_event_that_is_not_there_is_told(terminal: Terminal, store: Store) -> None:
    await register(store, allowed=False)

    assert (await terminal("events", "show", "2")).exit_code == 1
    assert (await terminal("events", "show", "9" * 40)).exit_code == 1
    assert (await terminal("events", "show", str(uuid4()))).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "the first one"),
        ("export", "--type", "ProgressRecrded"),
        ("export", "--after", "-1"),
        ("export", "--format", "csv"),
        ("export", "--subject", "Ada"),
        ("tail", "--after", "7"),
    ],
)
async def test_wrong_arguments_are_usage_errors(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    assert (await terminal("events", *arguments)).exit_code == 2


@pytest.mark.parametrize("command", [("export",), ("show", "1"), ("tail",)])
async def test_a_database_that_is_away_has_an_exit_code_of_its_own(
    terminal: Terminal, command: tuple[str, ...]
) -> None:
    url = f"postgresql://somebody:hunter2@127.0.0.1:{free_port()}/afterschool"

    shown = await terminal("events", *command, AFTERSCHOOL_DATABASE_URL=url)

    assert shown.exit_code == 3
    assert "hunter2" not in shown.output


async def test_a_database_without_a_schema_is_told_with_what_to_do(terminal: Terminal, empty_database: str) -> None:
    shown = await terminal("events", "export", AFTERSCHOOL_DATABASE_URL=empty_database)

    assert (shown.exit_code, shown.stderr) == (1, "The database has no schema yet: afterschool migrate.\n")


@pytest.mark.parametrize("wrong", ["password", "database"])
async def test_a_database_that_refuses_us_is_a_wrong_setting(terminal: Terminal, database: str, wrong: str) -> None:
    head, name = database.rsplit("/", 1)
    url = f"{head}/nowhere" if wrong == "database" else f"postgresql://afterschool:hunter2@{head.split('@')[1]}/{name}"

    shown = await terminal("events", "export", AFTERSCHOOL_DATABASE_URL=url)

    assert shown.exit_code == 2
    assert "AFTERSCHOOL_DATABASE_URL: Postgres refuses it" in shown.stderr
    assert "hunter2" not in shown.output


def test_nothing_in_an_event_steers_the_terminal() -> None:
    assert printable("Ada \x1b[2J\u202e\x9b é") == "Ada \\u001b[2J\\u202e\\u009b é"


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(terminal: Terminal) -> AsyncIterator[Start]:
    """Return what starts a command as a process of its own, ended after the test."""
    processes: list[Process] = []

    async def start(*arguments: str, stdout: int = PIPE) -> Process:
        command = [sys.executable, "-m", "cli.main", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=stdout, stderr=PIPE, env={**os.environ, **terminal.environment}
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines(process: Process, count: int) -> list[str]:
    assert process.stdout
    return [(await asyncio.wait_for(process.stdout.readline(), 30)).decode() for _ in range(count)]


async def test_tail_follows_the_log_until_it_is_interrupted(store: Store, start: Start) -> None:
    student = await register(store)
    tail = await start("events", "tail", "--after", "0", "--json")

    before = await lines(tail, REGISTERED)
    await practise(store, student, "fractions", "decimals")
    after = await lines(tail, 2)
    tail.send_signal(signal.SIGINT)
    rest, errors = await tail.communicate()

    assert [json.loads(line)["position"] for line in before + after] == list(range(1, REGISTERED + 3))
    assert (tail.returncode, rest, errors) == (0, b"", b"")


async def test_tail_begins_shortly_before_the_end_and_shows_a_line_an_event(store: Store, start: Start) -> None:
    student = await register(store)
    await practise(store, student, *("fractions",) * 11)
    tail = await start("events", "tail")

    shown = await lines(tail, 10)

    head = REGISTERED + 11
    assert [int(line.split()[0]) for line in shown] == list(range(head - 9, head + 1))
    assert all("ProgressRecorded" in line and f"practice-{student}" in line and "fractions" in line for line in shown)


async def test_tail_shows_only_what_is_asked_for(store: Store, start: Start) -> None:
    student, other = await register(store), await register(store)
    tails = [
        await start("events", "tail", "--after", "0", "--json", *options)
        for options in (
            ("--type", "ProgressRecorded"),
            ("--subject", str(other)),
            ("--stream", f"practice-{student}"),
        )
    ]
    await practise(store, student, "fractions")
    await practise(store, other, "decimals")

    shown = [await lines(tail, count) for tail, count in zip(tails, (2, 3, 1), strict=True)]

    assert [[json.loads(line)["position"] for line in lines] for lines in shown] == [[5, 6], [3, 4, 6], [5]]


async def test_tail_ends_when_its_reader_is_gone(store: Store, start: Start) -> None:
    student = await register(store)
    reading, writing = os.pipe()
    tail = await start("events", "tail", "--after", "0", stdout=writing)
    os.close(writing)
    first = await asyncio.to_thread(os.read, reading, 1)

    os.close(reading)
    await practise(store, student, "fractions")
    _, errors = await asyncio.wait_for(tail.communicate(), 30)

    assert first
    assert (tail.returncode, errors) == (0, b"")
