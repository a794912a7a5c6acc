"""Sockets: what only a real connection shows."""

import asyncio
import json
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from adapters.wiring import Backend

from .people import Family


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_a_connection_cut_at_any_step_before_its_answer_leaves_one_effect_at_most(
    url: str, app: FastAPI, family: Family, report: dict[str, object], steps: int
) -> None:
    backend: Backend = app.state.backend
    before = await backend.reader.head()
    headers = {**family.child.headers, "idempotency-key": str(uuid4()), "content-type": "application/json"}
    body = json.dumps(report).encode()
    head = [f"{name}: {value}" for name, value in headers.items()]
    _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    lines = ["POST /progress HTTP/1.1", "host: api", *head, f"content-length: {len(body)}", "", ""]
    writer.write("\r\n".join(lines).encode())
    writer.write(body)
    for _ in range(steps):
        await asyncio.sleep(0)  # the server runs in this very loop

    writer.transport.abort()

    async with httpx.AsyncClient(base_url=url) as client:
        answers = [await client.post("/progress", content=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert await backend.reader.head() == before + 1


async def test_a_body_of_ten_megabytes_is_refused_while_it_is_still_coming(url: str, family: Family) -> None:
    body = b'{"topic":"' + b"x" * 10_000_000 + b'"}'
    headers = {**family.child.headers, "content-type": "application/json"}

    async with httpx.AsyncClient(base_url=url) as client:
        refused = await client.post("/progress", content=body, headers=headers)
        after = await client.get("/health/live")

    assert refused.status_code == 413
    assert refused.json()["type"] == "/problems/body-too-large"
    assert after.status_code == 200


async def test_a_caller_who_leaves_in_the_middle_of_a_body_leaves_nothing_behind(
    url: str, app: FastAPI, family: Family
) -> None:
    backend: Backend = app.state.backend
    before = await backend.reader.head()
    _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    head = ["POST /progress HTTP/1.1", "host: api", f"authorization: Bearer {family.child.token}"]
    writer.write("\r\n".join([*head, "content-type: application/json", "content-length: 100", "", "{"]).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    async with httpx.AsyncClient(base_url=url) as client:
        after = await client.get("/health/live")

    assert after.status_code == 200
    assert await backend.reader.head() == before


async def test_an_answer_does_not_tell_what_it_was_made_with(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/health/live")

    assert not {"server", "x-powered-by"} & set(answer.headers)
