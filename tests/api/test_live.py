"""Live: a student's events as they happen, each once and in order, for whoever may know and as long as they may."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis

from adapters.embedded.auth.key_file import load_keys
from adapters.settings import Settings
from adapters.wiring import Backend
from api.live import Pace

from .live import Process, Reader, Report, Told, process, record
from .people import Family, Person, Register, as_bytes
from .test_security import remember, session_key


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Process]:
    async with process(settings) as running:
        yield running


@pytest.fixture
async def student(register: Register) -> Person:
    return await register("student", by=await register("parent"))


async def test_what_happens_from_now_on_is_told_at_once(
    client: httpx.AsyncClient, api: Process, student: Person, report: Report
) -> None:
    await record(client, student, report)
    head = await api.backend.reader.head()
    reader = Reader(api.url, student, student)

    async with reader.connect() as events:
        start = await anext(events)
        position = await record(client, student, report)
        event = await anext(events)
        for _ in range(5):
            later = await record(client, student, report)
            recorded = time.monotonic()
            assert (await anext(events)).id == str(later)
            assert time.monotonic() - recorded < 1

    (stored,) = await api.backend.reader.read(position - 1, limit=1)
    assert (start.type, start.id, start.data) == ("start", str(head), {"position": head})
    assert int(start.retry) > 0
    assert (event.type, event.id) == ("ProgressRecorded", str(position))
    assert event.data == {
        "position": position,
        "type": "ProgressRecorded",
        "occurred_at": stored.occurred_at.isoformat().replace("+00:00", "Z"),
        "recorded_at": stored.recorded_at.isoformat().replace("+00:00", "Z"),
        "data": {
            **{name: report[name] for name in ("subject", "topic", "time_spent", "completed")},
            "score": 8750,
            "source": "self_reported",
        },
    }


async def test_the_answer_is_an_event_stream_that_nobody_keeps_or_holds_back(api: Process, student: Person) -> None:
    reader = Reader(api.url, student, student, headers={"origin": "https://app.example"})

    async with reader.connect():
        headers = reader.answer.headers

    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == "https://app.example"


async def test_nothing_personal_is_told(api: Process, family: Family) -> None:
    reader = Reader(api.url, family.parent, family.child)

    async with reader.connect("?after=0") as events:
        told = [await anext(events) for _ in range(3)]

    assert [event.type for event in told] == ["start", "UserRegistered", "GuardianAdded"]
    assert told[1].data["data"] == {"role": "student", "grade_level": 4, "timezone": "UTC"}
    assert told[2].data["data"] == {"guardian_id": str(family.parent.id)}
    assert told[1].data.keys() == {"position", "type", "occurred_at", "recorded_at", "data"}
    assert not [secret for secret in ("Ada", "visual", family.child.email) if secret in str(told)]


async def test_who_comes_back_is_told_first_what_was_missed(
    client: httpx.AsyncClient, api: Process, student: Person, report: Report
) -> None:
    positions = [await record(client, student, report) for _ in range(3)]
    reader = Reader(api.url, student, student, last_id=str(positions[0]))

    async with reader.connect("?after=0") as events:
        start, *missed = [await anext(events) for _ in range(3)]

    assert start.data == {"position": positions[0]}
    assert [event.data["position"] for event in missed] == positions[1:]


async def test_a_long_past_is_told_in_full(
    client: httpx.AsyncClient, api: Process, student: Person, report: Report
) -> None:
    positions = await asyncio.gather(*(record(client, student, report) for _ in range(250)))
    reader = Reader(api.url, student, student, last_id="0")

    async with reader.connect() as events:
        while (await anext(events)).id != str(max(positions)):
            pass

    assert reader.positions[3:] == sorted(positions)


async def test_of_others_nothing_is_told(
    client: httpx.AsyncClient, api: Process, family: Family, report: Report
) -> None:
    reader = Reader(api.url, family.child, family.child)

    async with reader.connect() as events:
        await anext(events)
        await record(client, family.other, report)
        own = await record(client, family.child, report)
        event = await anext(events)

    assert event.id == str(own)


async def test_a_parent_follows_their_child_and_nobody_else_does(api: Process, family: Family) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        for person, student_id in (
            (family.other, family.child.id),
            (family.stranger, family.child.id),
            (family.stranger, uuid4()),
            (family.child, family.parent.id),
        ):
            refused = await client.get(f"/live/{student_id}", headers=person.headers)
            elsewhere = await client.get(f"/progress/{student_id}", headers=person.headers)

            assert refused.status_code == elsewhere.status_code == 403
            assert refused.json()["type"] == elsewhere.json()["type"]
        stranger = await client.get(f"/live/{family.child.id}")
        nobody = await client.get(f"/live/{family.child.id}", headers={"authorization": "Bearer x"})
        nothing = await client.get("/live/nobody", headers=family.child.headers)
    async with Reader(api.url, family.parent, family.child).connect() as events:
        assert (await anext(events)).type == "start"

    assert [stranger.status_code, nobody.status_code, nothing.status_code] == [401, 401, 422]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://[", "http://[::1", "é"])
async def test_a_page_of_a_foreign_origin_gets_nothing(api: Process, student: Person, origin: str) -> None:
    async with httpx.AsyncClient(base_url=api.url) as client:
        headers = as_bytes({**student.headers, "origin": origin})
        refused = await client.get(f"/live/{student.id}", headers=headers)
    async with Reader(api.url, student, student, headers={"origin": api.url}).connect() as events:
        assert (await anext(events)).type == "start"

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/origin-not-allowed"


HOSTILE = (
    *(
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "1 2",
        "1,2",
        "abc",
        "null",
        "²",
        "\u0661",
        "\x7f",
        "1\t1",
        "' or 1=1 --",
    ),
    *("9" * 19, "9" * 20, "0" * 20, "0" * 19 + "1" + "9" * 19, "9" * 4000, "é" * 100),
)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_position_that_is_none_is_refused(client: httpx.AsyncClient, family: Family, hostile: str) -> None:
    path = f"/live/{family.child.id}"

    answers = [
        await client.get(path, headers=as_bytes({**family.child.headers, "last-event-id": hostile})),
        await client.get(path, params={"after": hostile}, headers=family.child.headers),
    ]

    for answer, field in zip(answers, ("Last-Event-ID", "query.after"), strict=True):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
        assert hostile.strip() == "" or f'"{hostile}"' not in answer.text


async def test_a_position_ahead_of_the_log_is_refused(client: httpx.AsyncClient, app: FastAPI, family: Family) -> None:
    backend: Backend = app.state.backend
    ahead = str(await backend.reader.head() + 1)
    path = f"/live/{family.child.id}"

    answers = [
        await client.get(path, headers={**family.child.headers, "last-event-id": ahead}),
        await client.get(path, params={"after": ahead}, headers=family.child.headers),
        await client.get(path, params={"after": str(2**63 - 1)}, headers=family.child.headers),
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert {answer.json()["type"] for answer in answers} == {"/problems/position-ahead"}


@pytest.mark.parametrize("query", ["after=1&after=2", "after", "since=1", "after=%ff"])
async def test_a_query_that_is_none_is_refused(client: httpx.AsyncClient, family: Family, query: str) -> None:
    answer = await client.get(f"/live/{family.child.id}?{query}", headers=family.child.headers)

    assert answer.status_code == 422


async def test_two_last_event_ids_are_refused(client: httpx.AsyncClient, family: Family) -> None:
    headers = [*family.child.headers.items(), ("last-event-id", "1"), ("last-event-id", "1")]

    answer = await client.get(f"/live/{family.child.id}", headers=headers)

    assert answer.status_code == 422


async def test_a_heartbeat_comes_while_nothing_happens(settings: Settings, student: Person) -> None:
    async with (
        process(settings, Pace(heartbeat=0.1)) as api,
        Reader(api.url, student, student).connect() as events,
    ):
        told = [await anext(events) for _ in range(4)]

    assert [event.comment for event in told] == ["", *["heartbeat"] * 3]
    assert {event.id for event in told[1:]} == {""}


async def end_of(events: AsyncIterator[Told]) -> Told:
    *_, last = [event async for event in events]
    return last


async def test_the_stream_ends_when_the_token_does(machine: Path, api: Process, student: Person) -> None:
    claims = jwt.decode(student.token, options={"verify_signature": False})
    expires_at = int(time.time() + 3.5)
    key = load_keys(machine / "auth.json").signing[0]
    token = jwt.encode({**claims, "exp": expires_at}, key.private, "ES256", {"kid": key.kid})

    async with Reader(api.url, Person(student.id, student.email, token, ""), student).connect() as events:
        end = await asyncio.wait_for(end_of(events), 10)

    assert (end.type, end.data) == ("end", {"reason": "token-refused"})
    assert -0.01 < time.time() - expires_at < 0.5
    assert api.measured("streams_ended_total", reason="token-refused") == 1


async def test_the_stream_ends_soon_after_the_session_does(redis_url: str, api: Process, student: Person) -> None:
    redis = Redis.from_url(redis_url)
    await remember(redis, student.id, time.time() + 60)

    async with Reader(api.url, Person(student.id, student.email, "opaque", ""), student).connect() as events:
        await anext(events)
        await redis.delete(session_key("opaque"))
        await redis.aclose()
        gone = time.monotonic()
        end = await asyncio.wait_for(end_of(events), 10)

    assert end.data == {"reason": "token-refused"}
    assert time.monotonic() - gone < 3


async def test_an_account_and_a_process_have_so_many_streams_and_no_more(settings: Settings, family: Family) -> None:
    few = settings.model_copy(update={"live_streams": 3, "live_streams_of_account": 2})
    async with process(few) as api, httpx.AsyncClient(base_url=api.url) as client:
        path = f"/live/{family.child.id}"
        child, parent = (Reader(api.url, who, family.child) for who in (family.child, family.parent))
        async with child.connect(), child.connect():
            too_many = await client.get(path, headers=family.child.headers)
            async with parent.connect():
                taken = await client.get(path, headers=family.parent.headers)
                assert api.measured("streams") == 3
        while api.measured("streams"):  # noqa: ASYNC110  until the process has seen them leave
            await asyncio.sleep(0.01)
        assert api.measured("streams_ended_total", reason="reader-left") == 3
        async with child.connect() as events:
            again = await anext(events)

    assert [too_many.status_code, taken.status_code] == [429, 503]
    assert [too_many.json()["type"], taken.json()["type"]] == ["/problems/too-many-streams", "/problems/streams-taken"]
    assert int(too_many.headers["retry-after"]) > 0
    assert int(taken.headers["retry-after"]) > 0
    assert again.type == "start"


async def test_without_redis_it_is_told_all_the_same(
    client: httpx.AsyncClient, settings: Settings, family: Family, report: Report
) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with process(away) as api, Reader(api.url, family.parent, family.child).connect() as events:
        await anext(events)
        position = await record(client, family.child, report)
        event = await anext(events)

    assert event.id == str(position)


async def test_the_document_shows_the_stream_and_what_is_in_it(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/live/{student_id}"]["get"]
    schemas = document["components"]["schemas"]

    shapes = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["anyOf"]
    parameters = {(shown["in"], shown["name"]): shown for shown in operation["parameters"]}
    assert operation["operationId"] == "FollowStudent"
    assert [shape["$ref"].rsplit("/", 1)[1] for shape in shapes] == ["LiveEvent", "Started", "Ended"]
    assert set(schemas["LiveEvent"]["properties"]) == {"position", "type", "occurred_at", "recorded_at", "data"}
    assert parameters.keys() == {("path", "student_id"), ("header", "Last-Event-ID"), ("query", "after")}
    assert parameters["header", "Last-Event-ID"]["schema"]["minimum"] == 0
    assert operation["security"] == [{"accessToken": []}]
