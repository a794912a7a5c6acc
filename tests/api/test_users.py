"""Users over HTTP: registering once, as a parent's child or alone, and who may read a profile."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import create_app

from .people import NAUGHTY, PASSWORD, Family


def registration(role: str = "student", **changes: object) -> dict[str, Any]:
    profile = {"name": "Zoë Ångström", "grade_level": 0, "learning_preferences": ["visual", "by doing"]}
    return {
        "email": f"{uuid4().hex}@Family.example",
        "password": PASSWORD,
        "role": role,
        "profile": {**profile, "timezone": "Europe/Berlin"},
        **changes,
    }


async def test_a_registered_user_has_the_profile_that_was_sent(client: httpx.AsyncClient) -> None:
    sent = registration()

    answer = await client.post("/users", json=sent)

    profile = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/users/{profile['id']}"
    assert int(answer.headers["event-position"]) > 0
    assert profile["email"] == sent["email"]
    assert profile["role"] == "student"
    assert {name: profile["profile"][name] for name in sent["profile"]} == sent["profile"]
    assert profile["profile"]["created_at"] == profile["profile"]["updated_at"]
    assert "password" not in answer.text


async def test_any_words_are_sealed_and_opened_as_they_were_sent(client: httpx.AsyncClient) -> None:
    words = [text for text in NAUGHTY if 0 < len(text) <= 64 and text.isprintable() and text == text.strip()]
    sent = registration()
    sent["profile"]["learning_preferences"] = words[-32:]

    answer = await client.post("/users", json=sent)

    assert answer.json()["profile"]["learning_preferences"] == words[-32:]


async def test_a_new_user_can_sign_in_at_once_and_read_their_profile(client: httpx.AsyncClient) -> None:
    sent = registration()
    made = (await client.post("/users", json=sent)).json()

    tokens = (await client.post("/auth/login", json={"email": sent["email"], "password": PASSWORD})).json()
    profile = await client.get(f"/users/{made['id']}", headers={"authorization": f"Bearer {tokens['access_token']}"})

    assert profile.json() == made


async def test_a_parents_child_is_linked_at_once(client: httpx.AsyncClient, family: Family) -> None:
    child = (await client.post("/users", json=registration(), headers=family.parent.headers)).json()

    answer = await client.get(f"/users/{child['id']}", headers=family.parent.headers)

    assert answer.json() == child


async def test_a_link_made_through_another_process_counts_at_once(
    client: httpx.AsyncClient, settings: Settings, family: Family
) -> None:
    app = create_app(settings, registry=CollectorRegistry())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as other_process,
    ):
        before = await other_process.get(f"/users/{family.other.id}", headers=family.parent.headers)
        child = (await client.post("/users", json=registration(), headers=family.parent.headers)).json()

        after = await other_process.get(f"/users/{child['id']}", headers=family.parent.headers)

    assert [before.status_code, after.status_code] == [403, 200]


async def test_a_profile_is_read_by_oneself_and_ones_parent_and_nobody_else(
    client: httpx.AsyncClient, family: Family
) -> None:
    child = [(await client.get(f"/users/{family.child.id}", headers=who.headers)).status_code for who in family.all]
    parent = [(await client.get(f"/users/{family.parent.id}", headers=who.headers)).status_code for who in family.all]

    assert child == [200, 200, 403, 403]
    assert parent == [200, 403, 403, 403]


async def test_an_email_has_one_account_however_it_is_written(client: httpx.AsyncClient) -> None:
    sent = registration()
    await client.post("/users", json=sent)

    again = await client.post("/users", json=registration(email=sent["email"].upper()))

    assert again.status_code == 409
    assert again.json()["type"] == "/problems/email-taken"
    assert sent["email"].lower() not in again.text.lower()


async def test_the_same_key_and_body_register_once(client: httpx.AsyncClient, app: FastAPI) -> None:
    sent, headers = registration(), {"idempotency-key": str(uuid4())}
    first = await client.post("/users", json=sent, headers=headers)
    backend: Backend = app.state.backend
    before = await backend.reader.head()

    again = await client.post("/users", json=sent, headers=headers)
    other = await client.post("/users", json={**sent, "role": "parent"}, headers=headers)

    assert again.status_code == 201
    assert again.content == first.content
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert await backend.reader.head() == before


async def test_a_key_of_somebody_elses_email_is_another_key(client: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "1"}
    first = await client.post("/users", json=registration(), headers=headers)

    other = await client.post("/users", json=registration(), headers=headers)

    assert [first.status_code, other.status_code] == [201, 201]


async def test_a_bad_token_is_refused_and_not_overlooked(client: httpx.AsyncClient) -> None:
    answer = await client.post("/users", json=registration(), headers={"authorization": "Bearer nonsense"})

    assert answer.json()["type"] == "/problems/token-refused"


@pytest.mark.parametrize("role", ["student", "parent"])
async def test_a_student_registers_nobody_else(client: httpx.AsyncClient, family: Family, role: str) -> None:
    sent = registration(role)

    answer = await client.post("/users", json=sent, headers=family.child.headers)
    login = await client.post("/auth/login", json={"email": sent["email"], "password": PASSWORD})

    assert answer.status_code == 403
    assert login.status_code == 401


async def test_a_weak_password_is_refused_with_its_field(client: httpx.AsyncClient) -> None:
    answer = await client.post("/users", json=registration(password="abc"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "password"


async def test_a_student_without_a_grade_is_refused_and_a_parent_needs_none(client: httpx.AsyncClient) -> None:
    profile = {"name": "Ada", "learning_preferences": []}

    student = await client.post("/users", json=registration("student", profile=profile))
    parent = await client.post("/users", json=registration("parent", profile=profile))

    assert student.json()["errors"][0]["field"] == "profile.grade_level"
    assert parent.status_code == 201
    assert parent.json()["profile"]["grade_level"] is None
    assert parent.json()["profile"]["timezone"] == "UTC"
