"""Progress over HTTP: a report is recorded once, comes back as it was sent, and shows in the summary."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from adapters.wiring import Backend

from .people import NAUGHTY, Family, Register, as_bytes

Report = dict[str, Any]


async def head(app: FastAPI) -> int:
    backend: Backend = app.state.backend
    return await backend.reader.head()


async def test_a_report_comes_back_as_the_log_holds_it(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    sent = {**report, "score": 33.33, "occurred_at": (datetime.now(UTC) - timedelta(days=3)).isoformat()}

    answer = await client.post("/progress", json=sent, headers=family.child.headers)

    record = answer.json()
    assert answer.status_code == 201
    assert int(answer.headers["event-position"]) == await head(app)
    assert {name: record[name] for name in report} == {**report, "score": 33.33}
    assert record["source"] == "self_reported"
    assert datetime.fromisoformat(record["occurred_at"]) == datetime.fromisoformat(str(sent["occurred_at"]))
    assert datetime.fromisoformat(record["created_at"]) <= datetime.now(UTC)
    assert UUID(record["id"])


@pytest.mark.parametrize(("score", "shown"), [(0, 0), (100, 100), (99.99, 99.99), (0.57, 0.57), (1e1, 10)])
async def test_scores_are_numbers_both_ways(
    client: httpx.AsyncClient, family: Family, report: Report, score: float, shown: float
) -> None:
    record = (await client.post("/progress", json={**report, "score": score}, headers=family.child.headers)).json()

    assert record["score"] == shown
    assert isinstance(record["score"], int | float)


async def test_any_text_comes_back_as_it_was_sent_or_is_refused(
    client: httpx.AsyncClient, family: Family, report: Report
) -> None:
    kept, last = set(), ""
    for text in NAUGHTY:
        answer = await client.post("/progress", json={**report, "topic": text}, headers=family.child.headers)

        assert answer.status_code in {201, 422}
        if answer.status_code == 201:
            assert answer.json()["topic"] == text
            kept.add(text)
            last = answer.headers["event-position"]
    summary = await client.get(f"/progress/{family.child.id}", params={"as_of": last}, headers=family.child.headers)
    assert len(kept) > len(NAUGHTY) / 2
    assert kept <= {topic["topic"] for subject in summary.json()["subjects"] for topic in subject["topics"]}


async def test_a_report_shows_in_the_summary_that_waits_for_it(
    client: httpx.AsyncClient, register: Register, report: Report
) -> None:
    child = await register("student", by=await register("parent"))
    recorded = await client.post("/progress", json={**report, "student_id": str(child.id)}, headers=child.headers)

    summary = await client.get(
        f"/progress/{child.id}", params={"as_of": recorded.headers["event-position"]}, headers=child.headers
    )

    assert summary.status_code == 200
    assert summary.json()["student_id"] == str(child.id)
    assert summary.json()["as_of"]["position"] == int(recorded.headers["event-position"])
    assert summary.json()["self_reported"]["last_score"] == 87.5
    assert summary.json()["graded"]["records"] == 0


async def test_the_same_key_and_body_take_effect_once_and_get_the_same_answer(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    headers = {**family.child.headers, "idempotency-key": f'"{uuid4()}"'}
    first = await client.post("/progress", json=report, headers=headers)
    before = await head(app)

    again = await client.post("/progress", json=report, headers=headers)

    assert again.status_code == 201
    assert again.content == first.content
    assert again.headers["event-position"] == first.headers["event-position"]
    assert await head(app) == before


async def test_the_same_key_at_once_takes_effect_once(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    headers = {**family.child.headers, "idempotency-key": str(uuid4())}
    before = await head(app)

    answers = await asyncio.gather(*(client.post("/progress", json=report, headers=headers) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await head(app) == before + 1


async def test_a_body_that_only_looks_different_is_the_same(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    headers = {**family.child.headers, "idempotency-key": str(uuid4())}
    first = await client.post("/progress", json={**report, "score": 80}, headers=headers)
    before = await head(app)

    again = await client.post("/progress", json=dict(reversed({**report, "score": 80.0}.items())), headers=headers)

    assert again.content == first.content
    assert await head(app) == before


async def test_the_same_key_with_another_body_is_refused(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    headers = {**family.child.headers, "idempotency-key": str(uuid4())}
    await client.post("/progress", json=report, headers=headers)
    before = await head(app)

    other = await client.post("/progress", json={**report, "score": 12}, headers=headers)

    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert await head(app) == before


async def test_a_key_counts_for_its_sender_only(client: httpx.AsyncClient, family: Family, report: Report) -> None:
    key = {"idempotency-key": str(uuid4())}
    mine = await client.post("/progress", json=report, headers={**family.child.headers, **key})

    theirs = await client.post(
        "/progress",
        json={**report, "student_id": str(family.other.id), "score": 12},
        headers={**family.other.headers, **key},
    )

    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]


async def test_without_a_key_a_repeat_is_a_new_fact(client: httpx.AsyncClient, family: Family, report: Report) -> None:
    first = await client.post("/progress", json=report, headers=family.child.headers)

    again = await client.post("/progress", json=report, headers=family.child.headers)

    assert int(again.headers["event-position"]) == int(first.headers["event-position"]) + 1


async def test_a_key_is_the_same_in_quotes_and_bare(client: httpx.AsyncClient, family: Family, report: Report) -> None:
    key = str(uuid4())

    answers = [
        await client.post("/progress", json=report, headers={**family.child.headers, "idempotency-key": spelt})
        for spelt in (key, f'"{key}"')
    ]

    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize(
    "key",
    ["", '""', '"', "a b", '"a b"', "x" * 129, f'"{"x" * 129}"', 'a"b', "k\x7f", "é", '"a";p=1', r'"\a"'],
)
async def test_a_key_that_is_none_is_refused(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report, key: str
) -> None:
    before = await head(app)

    answer = await client.post(
        "/progress", json=report, headers=as_bytes({**family.child.headers, "idempotency-key": key})
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await head(app) == before


async def test_two_keys_are_refused(client: httpx.AsyncClient, family: Family, report: Report) -> None:
    keys = [("idempotency-key", "a"), ("idempotency-key", "a")]

    answer = await client.post("/progress", json=report, headers=[*family.child.headers.items(), *keys])

    assert answer.status_code == 422


async def test_the_callers_trace_is_kept_with_the_event(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = await client.post("/progress", json=report, headers={**family.child.headers, "traceparent": traceparent})

    backend: Backend = app.state.backend
    (record,) = await backend.reader.read(int(answer.headers["event-position"]) - 1, limit=1)
    assert record.traceparent == traceparent
    assert record.correlation_id == UUID("0af7651916cd43dd8448eb211c80319c")
    assert record.actor == family.child.id


@pytest.mark.parametrize("days", [-31, 1])
async def test_practice_of_long_ago_or_of_the_future_is_refused(
    client: httpx.AsyncClient, family: Family, report: Report, days: int
) -> None:
    moment = (datetime.now(UTC) + timedelta(days=days)).isoformat()

    answer = await client.post("/progress", json={**report, "occurred_at": moment}, headers=family.child.headers)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "occurred_at"


async def test_only_students_report_and_only_their_own_practice(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    before = await head(app)
    for sender in (family.parent, family.other, family.stranger):
        answer = await client.post("/progress", json=report, headers=sender.headers)
        own = await client.post(
            "/progress", json={**report, "student_id": str(family.stranger.id)}, headers=family.stranger.headers
        )
        unknown = await client.post("/progress", json={**report, "student_id": str(uuid4())}, headers=sender.headers)

        assert [answer.status_code, own.status_code, unknown.status_code] == [403, 403, 403]
    assert await head(app) == before


async def test_a_summary_is_read_by_the_student_and_the_parent_and_nobody_else(
    client: httpx.AsyncClient, family: Family
) -> None:
    statuses = [
        (await client.get(f"/progress/{family.child.id}", headers=person.headers)).status_code for person in family.all
    ]

    assert statuses == [200, 200, 403, 403]


async def test_a_cached_summary_is_served_byte_for_byte_but_to_nobody_else(
    client: httpx.AsyncClient, family: Family, redis_url: str
) -> None:
    cached = b'{"cached": "byte for byte" }'
    redis = Redis.from_url(redis_url)
    await redis.set(f"user:{family.child.id}:progress", cached)
    await redis.aclose()

    answers = [await client.get(f"/progress/{family.child.id}", headers=person.headers) for person in family.all]

    assert [answer.content for answer in answers[:2]] == [cached, cached]
    assert [answer.headers["content-type"] for answer in answers[:2]] == ["application/json"] * 2
    assert [answer.status_code for answer in answers[2:]] == [403, 403]


@pytest.mark.usefixtures("redis_url")
async def test_a_flushed_cache_is_filled_again(client: httpx.AsyncClient, family: Family) -> None:
    first = await client.get(f"/progress/{family.child.id}", headers=family.child.headers)

    again = await client.get(f"/progress/{family.child.id}", headers=family.child.headers)

    assert first.status_code == again.status_code == 200
    assert first.content == again.content


async def test_a_moment_the_log_has_not_reached_is_refused(
    client: httpx.AsyncClient, app: FastAPI, family: Family
) -> None:
    ahead = [str(await head(app) + 1), (datetime.now(UTC) + timedelta(hours=1)).isoformat()]

    answers = [
        await client.get(f"/progress/{family.child.id}", params={"as_of": moment}, headers=family.child.headers)
        for moment in ahead
    ]

    assert [answer.json()["type"] for answer in answers] == ["/problems/position-ahead"] * 2


async def test_before_a_student_existed_there_is_nothing_to_read(client: httpx.AsyncClient, family: Family) -> None:
    answer = await client.get(f"/progress/{family.child.id}", params={"as_of": "1"}, headers=family.child.headers)

    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-yet-recorded"


async def test_the_same_position_and_date_give_the_same_bytes(
    client: httpx.AsyncClient, app: FastAPI, family: Family, report: Report
) -> None:
    asked = {"as_of": str(await head(app)), "date": "2026-11-20"}
    first = await client.get(f"/progress/{family.child.id}", params=asked, headers=family.child.headers)
    await client.post("/progress", json=report, headers=family.child.headers)

    again = await client.get(f"/progress/{family.child.id}", params=asked, headers=family.child.headers)

    assert first.status_code == 200
    assert again.content == first.content
    assert again.json()["as_of"]["date"] == "2026-11-20"
