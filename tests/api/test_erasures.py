"""Erasures over HTTP: who may ask, what stops at once, and what is left when the housekeeper is through."""

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adapters.erasure_ledger import FileLedger
from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import create_app
from commands.finish_erasure import ErasurePorts
from domain.consent import POLICY
from workers.erasing import finish_erasures

from .people import PASSWORD, Family, Person, Register

TERMS = {"policy_version": POLICY, "scopes": ["learning"], "country": "IT"}


@pytest.fixture
def backend(app: FastAPI) -> Backend:
    opened: Backend = app.state.backend
    return opened


@pytest.fixture
async def ports(backend: Backend, tmp_path: Path) -> ErasurePorts:
    ledger = FileLedger(tmp_path / "erasures.jsonl")
    await ledger.begin()
    return replace(backend.erasure, ledger=ledger)


async def erase(client: httpx.AsyncClient, who: Person, by: Person, key: str | None = None) -> httpx.Response:
    headers = by.headers | ({"idempotency-key": key} if key else {})
    return await client.delete(f"/users/{who.id}", headers=headers)


async def status(client: httpx.AsyncClient, path: str, by: Person) -> int:
    return (await client.get(path, headers=by.headers)).status_code


async def test_a_guardian_has_a_child_forgotten(
    client: httpx.AsyncClient, register: Register, ports: ErasurePorts
) -> None:
    parent = await register("parent")
    child, sister = await register("student", by=parent), await register("student", by=parent)
    report = {"student_id": str(child.id), "subject": "a", "topic": "b", "score": 1, "time_spent": 1, "completed": True}

    erased = await erase(client, child, by=parent)

    assert (erased.status_code, erased.content) == (204, b"")
    assert int(erased.headers["event-position"]) > 0
    refused = await client.post("/progress", json=report, headers=child.headers)
    assert refused.status_code == 404
    for path in ("/users/{}", "/progress/{}", "/users/{}/consents", "/users/{}/export", "/users/{}/access-log"):
        assert await status(client, path.format(child.id), by=parent) == 403
        assert await status(client, path.format(sister.id), by=parent) == 200
    links = (await client.get("/guardianships", headers=parent.headers)).json()["items"]
    assert [link["student_id"] for link in links] == [str(sister.id)]

    await finish_erasures(ports)

    assert ports.ledger
    assert child.id in await ports.ledger.read()
    login = await client.post("/auth/login", json={"email": child.email, "password": PASSWORD})
    assert login.status_code == 401
    refresh = await client.post("/auth/refresh", json={"refresh_token": child.refresh_token})
    assert refresh.status_code == 401
    assert (await erase(client, child, by=parent)).status_code == 403


async def test_a_parent_goes_and_takes_only_their_own_consent_along(
    client: httpx.AsyncClient, register: Register, ports: ErasurePorts
) -> None:
    mother, father = await register("parent"), await register("parent")
    child = await register("student", by=mother)
    code = (await client.post(f"/users/{child.id}/pairing-codes", headers=mother.headers)).json()["code"]
    await client.post("/guardianships", json={"code": code}, headers=father.headers)
    for guardian in (mother, father):
        await client.post(f"/users/{child.id}/consents", json=TERMS, headers=guardian.headers)

    assert (await erase(client, mother, by=mother)).status_code == 204
    await finish_erasures(ports)

    assert await status(client, f"/progress/{child.id}", by=father) == 200
    consents = (await client.get(f"/users/{child.id}/consents", headers=father.headers)).json()["items"]
    assert {one["guardian_id"]: one["withdrawn_at"] is None for one in consents} == {
        str(mother.id): False,
        str(father.id): True,
    }
    links = (await client.get("/guardianships", headers=child.headers)).json()["items"]
    assert [link["guardian_id"] for link in links] == [str(father.id)]


async def test_a_student_without_a_guardian_may_go_alone(client: httpx.AsyncClient, register: Register) -> None:
    alone = await register("student")

    assert (await erase(client, alone, by=alone)).status_code == 204


async def test_nobody_else_may_and_nobody_learns_who_is_there(client: httpx.AsyncClient, family: Family) -> None:
    unknown = replace(family.child, id=uuid4())
    answers = [
        await erase(client, who, by)
        for who, by in (
            (family.child, family.stranger),
            (family.child, family.child),
            (family.parent, family.child),
            (family.other, family.parent),
            (unknown, family.parent),
        )
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert (
        len(
            {
                tuple(value for name, value in answer.json().items() if name not in {"instance", "trace_id"})
                for answer in answers
            }
        )
        == 1
    )
    assert (await client.delete(f"/users/{family.child.id}")).status_code == 401


async def test_the_same_key_gets_the_same_answer(client: httpx.AsyncClient, register: Register) -> None:
    parent = await register("parent")
    child = await register("student", by=parent)

    first, again = [await erase(client, child, by=parent, key="once") for _ in range(2)]

    assert (first.status_code, again.status_code) == (204, 204)
    assert first.headers["event-position"] == again.headers["event-position"]


async def test_no_repeat_of_an_earlier_call_shows_anything_of_who_was_erased(
    client: httpx.AsyncClient, register: Register, ports: ErasurePorts
) -> None:
    parent, mark, key = await register("parent"), f"zqx{uuid4().hex}", {"idempotency-key": "once"}
    account = {"password": PASSWORD, "role": "student", "profile": {"name": mark, "grade_level": 3}}
    by_parent = account | {"email": f"{uuid4().hex}@family.example", "consent": TERMS}
    alone = account | {"email": f"{uuid4().hex}@family.example"}
    child = (await client.post("/users", json=by_parent, headers=parent.headers | key)).json()["id"]
    other = (await client.post("/users", json=alone, headers=key)).json()["id"]
    signed_in = []
    for body in (by_parent, alone):
        tokens = await client.post("/auth/login", json={name: body[name] for name in ("email", "password")})
        signed_in.append({"authorization": f"Bearer {tokens.json()['access_token']}"})

    async def repeat() -> list[httpx.Response]:
        return [
            await client.post("/users", json=by_parent, headers=parent.headers | key),
            await client.post("/users", json=alone, headers=key),
            await client.patch(f"/users/{child}", json={"profile": {"grade_level": 4}}, headers=parent.headers | key),
            await client.patch(f"/users/{child}", json={"profile": {"grade_level": 5}}, headers=signed_in[0] | key),
        ]

    assert all(mark in answer.text for answer in await repeat())
    assert (await client.delete(f"/users/{child}", headers=parent.headers)).status_code == 204
    assert (await client.delete(f"/users/{other}", headers=signed_in[1])).status_code == 204

    soon = await repeat()
    await finish_erasures(ports)
    later = await repeat()

    assert not [answer.text for answer in [*soon, *later] if mark in answer.text]
    assert [answer.status_code for answer in soon] == [404, 404, 403, 404]
    for body in (by_parent, alone):
        credentials = {name: body[name] for name in ("email", "password")}
        assert (await client.post("/auth/login", json=credentials)).status_code == 401, (
            "no repeat made the account anew"
        )


async def test_after_a_restore_nobody_is_served_before_the_ledger_was_read(
    settings: Settings, register: Register, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.app.PAUSE", 0.05)
    parent = await register("parent")
    child = await register("student", by=parent)
    file, elsewhere = tmp_path / "erasures.jsonl", tmp_path / "elsewhere"
    await FileLedger(elsewhere).begin()
    await FileLedger(elsewhere).add(child.id, date(2026, 11, 1))
    file.mkdir()
    app = create_app(settings.model_copy(update={"erasure_ledger": str(file)}), registry=CollectorRegistry())

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client,
    ):
        refused = await client.get(f"/users/{child.id}", headers=child.headers)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert (await client.get("/health/ready")).status_code == 503
        file.rmdir()
        elsewhere.rename(file)
        async with asyncio.timeout(10):
            while (answer := await client.get("/guardianships", headers=parent.headers)).status_code == 503:  # noqa: ASYNC110  only an answer tells
                await asyncio.sleep(0.02)
        assert answer.json() == {"items": []}
        assert (await client.get(f"/users/{child.id}", headers=child.headers)).status_code == 401

    [row] = await backend.pool.fetch(
        "select data ->> 'reason' as reason from events where subject = $1 and type = 'UserErased'", child.id
    )
    assert row["reason"] == "restored"
