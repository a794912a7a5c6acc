"""Families: a child pairs with guardians, they consent and withdraw, and who is no guardian sees nothing."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import create_app
from commands.issue_pairing_code import IssuePairingCode, issue_pairing_code
from domain.cause import Cause

from .people import Person, Register
from .refusals import essence
from .talks import TERMS, Talks


@pytest.fixture
async def child(register: Register) -> Person:
    """Return a child who registered alone."""
    return await register("student")


@pytest.fixture
async def parent(register: Register) -> Person:
    return await register("parent")


async def test_a_code_of_the_child_makes_a_parent_its_guardian(talks: Talks, parent: Person, child: Person) -> None:
    assert not await talks.sees(parent, child)

    linked = await talks.pair(parent, child)

    assert (linked["guardian_id"], linked["student_id"]) == (str(parent.id), str(child.id))
    assert await talks.links(parent) == await talks.links(child) == [linked]
    assert await talks.sees(parent, child)


async def test_a_code_is_shown_again_to_who_repeats_and_expires_after_a_day(talks: Talks, child: Person) -> None:
    key = uuid4().hex

    first, again = await talks.code(child, child, key), await talks.code(child, child, key)

    assert first.json() == again.json()
    expires = datetime.fromisoformat(first.json()["expires_at"])
    assert timedelta(hours=23, minutes=59) < expires - datetime.now(UTC) <= timedelta(hours=24)
    assert (await talks.code(child, child)).json()["code"] != first.json()["code"]


async def test_a_code_may_be_typed_carelessly_and_works_once(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    code = (await talks.code(child, child)).json()["code"]

    linked = await talks.link(parent, code.lower().replace("-", " "))
    stolen = await talks.link(await register("parent"), code)

    assert linked.status_code == 201
    assert (stolen.status_code, stolen.json()["type"]) == (422, "/problems/pairing-code-refused")


async def test_linking_again_under_the_same_key_answers_the_same(talks: Talks, parent: Person, child: Person) -> None:
    code, key = (await talks.code(child, child)).json()["code"], uuid4().hex

    first, again = await talks.link(parent, code, key), await talks.link(parent, code, key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content


async def test_of_many_who_try_a_code_at_once_one_succeeds(talks: Talks, child: Person, register: Register) -> None:
    code = (await talks.code(child, child)).json()["code"]
    parents = [await register("parent") for _ in range(4)]

    answers = await asyncio.gather(*(talks.link(parent, code) for parent in parents))

    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert len(await talks.links(child)) == 1


async def test_with_a_guardian_the_child_makes_no_codes_but_the_guardian_does(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    await talks.pair(parent, child)
    other = await register("parent")

    assert (await talks.code(child, child)).status_code == 403
    await talks.pair(other, child, by=parent)

    assert await talks.sees(other, child)
    assert {one["guardian_id"] for one in await talks.links(child)} == {str(parent.id), str(other.id)}


async def test_strangers_and_students_pair_with_nobody(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    other = await register("student")

    assert (await talks.code(parent, child)).status_code == 403
    assert (await talks.code(other, child)).status_code == 403
    assert (await talks.link(other, (await talks.code(child, child)).json()["code"])).status_code == 403
    assert (await talks.link(parent, "AAAA-BBBB-CCCC")).status_code == 422


async def test_who_is_unlinked_sees_nothing_more_and_their_consents_end(
    talks: Talks,
    parent: Person,
    child: Person,
    register: Register,
) -> None:
    linked, other, key = await talks.pair(parent, child), await register("parent"), uuid4().hex
    await talks.pair(other, child, by=parent)
    ended, kept = (await talks.consent(parent, child)).json(), (await talks.consent(other, child)).json()

    assert await talks.unlink(other, linked["id"], key) == 204
    assert await talks.unlink(other, linked["id"], key) == 204

    assert not await talks.sees(parent, child)
    assert await talks.sees(other, child)
    consents = {one["id"]: one["withdrawn_at"] for one in (await talks.consents(child, child)).json()["items"]}
    assert consents[ended["id"]] is not None
    assert consents[kept["id"]] is None
    assert await talks.unlink(parent, linked["id"]) == 403


async def test_nobody_ends_the_guardianships_of_others(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    linked = await talks.pair(parent, child)

    for who in (child, await register("parent")):
        assert await talks.unlink(who, linked["id"]) == 403
    assert await talks.unlink(parent, str(uuid4())) == 403

    assert await talks.sees(parent, child)


async def test_a_guardian_consents_and_withdraws(talks: Talks, parent: Person, child: Person) -> None:
    await talks.pair(parent, child)

    granted = await talks.consent(parent, child)

    consent = granted.json()
    assert granted.status_code == 201
    assert (consent["guardian_id"], consent["scopes"]) == (str(parent.id), ["learning", "research"])
    assert (await talks.consents(parent, child)).json() == {"items": [consent]}
    assert await talks.withdraw(parent, child, consent["id"]) == 204
    assert await talks.withdraw(parent, child, consent["id"]) == 204
    [ended] = (await talks.consents(child, child)).json()["items"]
    assert ended["withdrawn_at"] >= ended["granted_at"]


@pytest.mark.parametrize("terms", [{"policy_version": "2025-1"}, {"scopes": ["learning", "learning"]}])
async def test_terms_that_are_not_in_force_are_refused(
    talks: Talks, parent: Person, child: Person, terms: dict[str, object]
) -> None:
    await talks.pair(parent, child)

    answer = await talks.consent(parent, child, **terms)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-value")


async def test_nobody_else_consents_or_sees_consents(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    await talks.pair(parent, child)
    consent = (await talks.consent(parent, child)).json()["id"]
    stranger = await register("parent")

    assert [(await talks.consent(who, child)).status_code for who in (child, stranger)] == [403, 403]
    assert (await talks.consents(stranger, child)).status_code == 403
    assert [await talks.withdraw(who, child, consent) for who in (child, stranger)] == [403, 403]


async def test_a_child_that_is_registered_with_consent_has_it_at_once(
    client: httpx.AsyncClient, talks: Talks, parent: Person
) -> None:
    body = {
        "email": f"{uuid4().hex}@family.example",
        "password": "correct horse battery staple",
        "role": "student",
        "profile": {"name": "Ada", "grade_level": 2},
        "consent": TERMS,
    }

    made = await client.post("/users", json=body, headers=parent.headers)
    alone = await client.post("/users", json=body | {"email": f"{uuid4().hex}@family.example"})

    assert made.status_code == 201
    consents = await client.get(f"/users/{made.json()['id']}/consents", headers=parent.headers)
    [consent] = consents.json()["items"]
    assert (consent["guardian_id"], consent["withdrawn_at"]) == (str(parent.id), None)
    assert alone.status_code == 403
    assert [one["student_id"] for one in await talks.links(parent)] == [made.json()["id"]]


async def test_an_unknown_a_used_and_an_expired_code_are_refused_alike(
    talks: Talks, app: FastAPI, parent: Person, child: Person, register: Register
) -> None:
    backend: Backend = app.state.backend
    too_old = Cause(
        command_id=uuid4(),
        operation="IssuePairingCode",
        actor=child.id,
        occurred_at=datetime.now(UTC) - timedelta(hours=24),
        body=b"",
        correlation_id=uuid4(),
        causation_id=uuid4(),
    )
    expired, _ = await issue_pairing_code(
        backend.log, backend.pairing_codes, IssuePairingCode(cause=too_old, student_id=child.id)
    )
    used = (await talks.code(child, child)).json()["code"]
    await talks.link(await register("parent"), used)
    codes = ("AAAA-BBBB-CCCC", expired, used)

    for who, status in ((parent, 422), (await register("student"), 403)):
        unknown, *others = [essence(await talks.link(who, code)) for code in codes]

        assert others == [unknown, unknown]
        assert unknown[0] == status


async def test_codes_cannot_be_guessed_for_tries_are_few(talks: Talks, parent: Person) -> None:
    tried = [(await talks.link(parent, f"AAAA-BBBB-{n:04}")).status_code for n in range(12)]

    assert tried == [422] * 10 + [429] * 2


async def test_who_was_unlinked_through_another_process_sees_nothing_within_five_seconds(
    talks: Talks, settings: Settings, parent: Person, child: Person
) -> None:
    await talks.pair(parent, child)
    [link] = await talks.links(parent)
    elsewhere = create_app(settings, registry=CollectorRegistry())
    async with (
        elsewhere.router.lifespan_context(elsewhere),
        httpx.AsyncClient(transport=httpx.ASGITransport(elsewhere), base_url="http://api.test") as other,
    ):
        assert (await other.get(f"/progress/{child.id}", headers=parent.headers)).status_code == 200
        assert await talks.unlink(parent, link["id"]) == 204

        began = time.monotonic()
        while (await other.get(f"/progress/{child.id}", headers=parent.headers)).status_code == 200:
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.05)


async def test_codes_that_a_child_made_before_its_first_guardian_let_nobody_else_in(
    talks: Talks, parent: Person, child: Person, register: Register
) -> None:
    first, second = [(await talks.code(child, child)).json()["code"] for _ in range(2)]
    assert (await talks.link(parent, first)).status_code == 201

    late = await talks.link(await register("parent"), second)

    assert (late.status_code, late.json()["type"]) == (422, "/problems/pairing-code-refused")


async def test_a_guardian_who_enters_another_code_is_told_that_it_is_not_needed(
    talks: Talks, parent: Person, child: Person
) -> None:
    await talks.pair(parent, child)
    code = (await talks.code(parent, child)).json()["code"]

    again = await talks.link(parent, code)

    assert (again.status_code, again.json()["type"]) == (422, "/problems/guardian-already")
