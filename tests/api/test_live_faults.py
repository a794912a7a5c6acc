"""Live under faults: whoever or whatever goes away and comes back, every event is told once and in order."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.settings import Settings
from adapters.wiring import Backend
from api.following import follow
from api.live import PACE, Pace, Streams
from domain.errors import NotAllowed
from eventstore.connections import APP
from eventstore.reader import Wakeups
from tests.faults.proxy import Proxy

from .live import Process, Reader, Report, process, record
from .people import Family, Person, Register


@pytest.fixture
async def student(register: Register) -> Person:
    return await register("student", by=await register("parent"))


async def positions_of(app: FastAPI, student: Person) -> list[int]:
    backend: Backend = app.state.backend
    return [record.position for record in await backend.reader.read(0, subject=student.id)]


async def record_many(client: httpx.AsyncClient, students: list[Person], report: Report, each: int) -> None:
    """Record practice of several students at once, one report after the other for each of them."""

    async def practise(student: Person) -> None:
        for _ in range(each):
            await record(client, student, report)

    await asyncio.gather(*(practise(student) for student in students for _ in range(3)))


@asynccontextmanager
async def reading(app: FastAPI, *readers: Reader) -> AsyncIterator[None]:
    """Let these read while something happens, and then until they know everything."""
    tasks = [asyncio.create_task(reader.read_on()) for reader in readers]
    yield
    for reader in readers:
        expected = await positions_of(app, reader.student)
        while reader.positions[-1:] != expected[-1:]:  # noqa: ASYNC110  the reader tells it in no other way
            await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == [""] * len(readers)


async def test_restarts_of_the_server_lose_and_double_nothing(
    client: httpx.AsyncClient, app: FastAPI, settings: Settings, student: Person, family: Family, *, report: Report
) -> None:
    async with process(settings) as api:
        reader = Reader(api.url, student, student, last_id="0")
        async with reading(app, reader):
            recording = asyncio.create_task(record_many(client, [student, family.child], report, 60))
            for _ in range(3):
                seen = len(reader.positions)
                while len(reader.positions) < seen + 10 and not recording.done():  # noqa: ASYNC110  the reader tells it in no other way
                    await asyncio.sleep(0.01)
                await api.stop()
                await api.start()
            await recording

    assert reader.positions == await positions_of(app, student)
    assert len(reader.positions) == 183
    assert {told.data["reason"] for told in reader.told if told.type == "end"} == {"server-stopping"}


@pytest.mark.parametrize("seed", range(4))
async def test_however_often_the_connection_breaks_every_event_is_told_once_and_in_order(
    client: httpx.AsyncClient, app: FastAPI, settings: Settings, register: Register, *, report: Report, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  an invented life
    students = [await register("student", by=await register("parent")) for _ in range(2)]
    async with process(settings) as api:
        readers = [
            Reader(api.url, student, student, last_id="0", breaks_after=lambda: chance.randrange(2000))
            for student in students
            for _ in range(2)
        ]
        async with reading(app, *readers):
            await record_many(client, students, report, 40)

    for reader in readers:
        assert reader.positions == await positions_of(app, reader.student)
        assert reader.connections > 10


def fill(student: Person, events: int) -> str:
    """Return SQL that gives a student a long history, by copying the last event about them."""
    return f"""
        insert into events
        select format, head + n, part, stream, version + n, gen_random_uuid(), type, schema, subject, command_id,
            causation_id, correlation_id, actor, on_behalf_of, consent_id, traceparent, occurred_at, recorded_at,
            data, sealed, commitment
        from generate_series(1, {events}) as n, (select max(position) as head from events) as head,
            (select * from events where subject = '{student.id}' order by position desc limit 1) as last
    """


async def execute(url: SecretStr, statement: str) -> None:
    connection = await asyncpg.connect(url.get_secret_value())
    await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def not_reading(api: Process, student: Person) -> AsyncIterator[socket.socket]:
    """Ask for a whole history and take nothing of it, over sockets that hold little."""
    api.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", api.settings.port))
        head = f"GET /live/{student.id}?after=0 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {student.token}\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(connection, head.encode())
        yield connection


async def until_blocked(api: Process) -> float:
    """Wait until the process sends no further event, and return how many it sent."""
    sent = -1.0
    while api.measured("streams") == 0 or sent != api.measured("events_total"):
        sent = api.measured("events_total")
        await asyncio.sleep(0.1)
    return sent


async def test_a_reader_that_takes_nothing_holds_little_and_is_cut(
    client: httpx.AsyncClient, settings: Settings, student: Person, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    await record(client, student, report)
    await execute(settings.database_url, fill(student, 20_000))
    async with process(settings, Pace(patience=1)) as api, not_reading(api, student) as connection:
        held = await until_blocked(api)
        other = Reader(api.url, student, student)
        async with other.connect() as events:
            await anext(events)
            position = await record(client, student, report)
            assert (await anext(events)).id == str(position)
            while api.measured("streams_ended_total", reason="reader-too-slow") == 0:  # noqa: ASYNC110  all it tells
                await asyncio.sleep(0.01)
            assert api.measured("streams") == 1
        taken = b""
        while more := await asyncio.get_running_loop().sock_recv(connection, 65536):
            taken += more

    assert held < 1000
    assert b"event: start" in taken
    assert not taken.endswith(b"0\r\n\r\n")
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []


async def test_a_stop_ends_all_streams_at_once_and_says_so(
    client: httpx.AsyncClient, settings: Settings, student: Person, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    await record(client, student, report)
    await execute(settings.database_url, fill(student, 20_000))
    api = Process(settings)
    await api.start()
    readers = [Reader(api.url, student, student) for _ in range(5)]

    async def read(reader: Reader) -> None:
        async with reader.connect() as events:
            async for _ in events:
                pass

    with capture_logs() as logged:
        reading = [asyncio.create_task(read(reader)) for reader in readers]
        async with not_reading(api, student):
            while api.measured("streams") < 6:  # noqa: ASYNC110  all it tells
                await asyncio.sleep(0.01)
            await until_blocked(api)
            began = time.monotonic()
            await api.stop()
            took = time.monotonic() - began
        await asyncio.gather(*reading)

    assert took < 1
    assert [reader.told[-1].data for reader in readers] == [{"reason": "server-stopping"}] * 5
    assert all(int(reader.told[-1].retry) > 0 for reader in readers)
    assert api.measured("streams") == 0
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []
    assert logged == []


@pytest.mark.parametrize("silent", [False, True], ids=["away", "silent"])
async def test_a_stream_outlives_postgres(
    client: httpx.AsyncClient, settings: Settings, family: Family, report: Report, *, silent: bool
) -> None:
    address = httpx.URL(settings.database_url.get_secret_value())
    async with Proxy(address.host, address.port or 0) as link:
        far = SecretStr(str(address.copy_with(port=link.port)))
        async with process(settings.model_copy(update={"database_url": far}), Pace(heartbeat=0.1)) as api:
            reader = Reader(api.url, family.parent, family.child, last_id=str(await api.backend.reader.head()))
            async with reader.connect() as events:
                first = await record(client, family.child, report)
                async for told in events:
                    if told.id == str(first):
                        break
                if silent:
                    link.go_silent()
                else:
                    link.go_away()
                missed = [await record(client, family.child, report) for _ in range(3)]
                for _ in range(10):
                    assert (await anext(events)).comment == "heartbeat"
                link.come_back()
                if silent:
                    link.reset()
                async for told in events:
                    if told.id == str(missed[-1]):
                        break

    assert reader.positions == [first, *missed]


@pytest.mark.parametrize("refused_at", [2, 3])
async def test_who_may_no_longer_follow_is_told_nothing_more(
    client: httpx.AsyncClient, app: FastAPI, student: Person, report: Report, refused_at: int
) -> None:
    backend: Backend = app.state.backend
    streams = Streams(most=1, most_of_one=1, pace=PACE, registry=CollectorRegistry())
    stream = streams.open(student.id, student.id)
    told: list[bytes] = []
    asked = 1

    async def admit() -> float:
        nonlocal asked
        asked += 1
        if asked == refused_at:
            raise NotAllowed
        await record(client, student, report)
        stream.wake()
        return 0.1

    async def say(block: bytes) -> None:
        told.append(block)

    after = await backend.reader.head()
    await record(client, student, report)
    await follow(
        say, reader=backend.reader, stream=stream, metrics=streams.metrics, after=after, admit=admit, admitted=0
    )
    streams.close(stream)

    text = b"".join(told).decode()
    assert text.count("event: ProgressRecorded") == (0 if refused_at == 2 else 2)
    assert stream.ended.result() == "not-allowed"


async def test_a_hole_in_the_log_ends_the_streams_and_raises_an_alarm(database: str) -> None:
    connection = await asyncpg.connect(database)
    pool = await asyncpg.create_pool(database, min_size=1, max_size=1)
    streams = Streams(most=9, most_of_one=9, pace=PACE, registry=CollectorRegistry())
    insert = """
        insert into events select 1, $1, 0, 'practice-' || id, 1, id, 'T', 1, id, id, id, id, id, null, null, null,
            now(), now(), '{}', null, null from gen_random_uuid() as id
    """
    with capture_logs() as logged:
        following = asyncio.create_task(streams.follow_log(pool, Wakeups(database, APP)))
        stream = streams.open(*[(await pool.fetchval("select gen_random_uuid()"))] * 2)
        assert await stream.wait_for_news(10)
        assert await stream.wait_for_news(10)  # the log's head is known
        await connection.execute(insert, 2)
        reason = await asyncio.wait_for(stream.ended, 10)
        following.cancel()
        await asyncio.wait({following})
    await connection.close()
    await pool.close()

    assert reason == "unavailable"
    assert {line["event"] for line in logged} == {"log_broken"}


async def test_a_stop_does_not_wait_for_a_postgres_that_says_nothing(
    settings: Settings, family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    address = httpx.URL(settings.database_url.get_secret_value())
    async with Proxy(address.host, address.port or 0) as link:
        far = SecretStr(str(address.copy_with(port=link.port)))
        others = asyncio.all_tasks()
        api = Process(settings.model_copy(update={"database_url": far}), Pace(heartbeat=0.1))
        await api.start()
        reader = Reader(api.url, family.parent, family.child)
        async with reader.connect() as events:
            await anext(events)
            pool = api.backend.pool
            while pool.get_idle_size() < pool.get_size():  # noqa: ASYNC110  whoever looks at the start is looking
                await asyncio.sleep(0.01)
            link.go_silent()
            for _ in range(25):  # the reader's leave has to be renewed by now
                await anext(events)
            with capture_logs() as logged:
                began = time.monotonic()
                await api.stop()
                took = time.monotonic() - began
            left = {task.get_name() for task in asyncio.all_tasks() - others}
            async for _ in events:
                pass

    assert took < 4
    assert left.isdisjoint({"readers", "learning of revocations", "following the log", "wakeups"})
    assert [line["event"] for line in logged] == ["reads_lost"]
    assert reader.told[-1].data == {"reason": "server-stopping"}
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []
