"""Consent gate: a student's practice is recorded under a guardian's consent that holds right then, or not at all."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from adapters.wiring import Backend

from .people import Person, Register
from .talks import Talks


@pytest.fixture
def backend(app: FastAPI) -> Backend:
    opened: Backend = app.state.backend
    return opened


@pytest.fixture
async def child(register: Register) -> Person:
    """Return a child who registered alone."""
    return await register("student")


@pytest.fixture
async def parent(register: Register) -> Person:
    return await register("parent")


async def consent_behind(backend: Backend, answer: httpx.Response) -> UUID | None:
    """Return under which consent a report was recorded."""
    (record,) = await backend.reader.read(int(answer.headers["event-position"]) - 1, limit=1)
    return record.consent_id


def assert_gated(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/consent-required"), answer.text


async def test_a_student_alone_is_told_how_to_get_a_guardian_and_their_consent(
    client: httpx.AsyncClient, talks: Talks, child: Person, backend: Backend
) -> None:
    before = await backend.reader.head()

    refused = await talks.practise(child)

    assert_gated(refused)
    assert "/users/{student_id}/consents" in refused.json()["detail"]
    assert "/users/{student_id}/pairing-codes" in refused.json()["detail"]
    assert refused.json()["detail"] in (await client.get(refused.json()["type"])).text
    assert await backend.reader.head() == before


async def test_once_a_guardian_consents_practice_is_recorded_under_that_consent(
    talks: Talks, parent: Person, child: Person, backend: Backend
) -> None:
    await talks.pair(parent, child)
    paired = await talks.practise(child)
    consent = (await talks.consent(parent, child)).json()["id"]

    recorded = await talks.practise(child)

    assert_gated(paired)
    assert recorded.status_code == 201
    assert await consent_behind(backend, recorded) == UUID(consent)


@pytest.mark.parametrize("scopes", [["research"], ["personalisation", "research"]])
async def test_a_consent_to_anything_but_learning_is_not_enough(
    talks: Talks, register: Register, parent: Person, scopes: list[str]
) -> None:
    child = await register("student", by=parent, scopes=scopes)

    assert_gated(await talks.practise(child))


async def test_after_withdrawal_what_is_new_is_refused_and_a_repeat_gets_its_first_answer(
    talks: Talks, parent: Person, child: Person, backend: Backend
) -> None:
    await talks.pair(parent, child)
    consent, key = (await talks.consent(parent, child)).json()["id"], uuid4().hex
    first = await talks.practise(child, key)
    await talks.withdraw(parent, child, consent)
    before = await backend.reader.head()

    new, repeat = await talks.practise(child), await talks.practise(child, key)

    assert_gated(new)
    assert (first.status_code, repeat.status_code) == (201, 201)
    assert repeat.content == first.content
    assert await backend.reader.head() == before


async def test_practice_that_was_refused_is_recorded_when_it_is_sent_again_with_consent(
    talks: Talks, parent: Person, child: Person
) -> None:
    key = uuid4().hex
    await talks.pair(parent, child)
    refused = await talks.practise(child, key)
    await talks.consent(parent, child)

    again = await talks.practise(child, key)

    assert_gated(refused)
    assert again.status_code == 201


async def test_a_guardian_who_leaves_takes_their_consent_with_them_and_another_ones_stays(
    talks: Talks, register: Register, parent: Person, child: Person, backend: Backend
) -> None:
    linked, other = await talks.pair(parent, child), await register("parent")
    also_linked = await talks.pair(other, child, by=parent)
    kept = (await talks.consent(other, child)).json()["id"]
    await talks.consent(parent, child)

    await talks.unlink(parent, linked["id"])
    under_the_other = await talks.practise(child)
    await talks.unlink(other, also_linked["id"])

    assert await consent_behind(backend, under_the_other) == UUID(kept)
    assert_gated(await talks.practise(child))


async def test_whatever_races_with_a_withdrawal_is_recorded_before_it_or_not_at_all(
    talks: Talks, parent: Person, child: Person, backend: Backend
) -> None:
    await talks.pair(parent, child)
    consent = (await talks.consent(parent, child)).json()["id"]

    async def practise() -> int:
        accepted = 0
        while accepted < 200 and (answer := await talks.practise(child)).status_code == 201:
            accepted += 1
        assert_gated(answer)
        return accepted

    async with asyncio.TaskGroup() as group:
        racing = [group.create_task(practise()) for _ in range(8)]
        await talks.practise(child)
        assert await talks.withdraw(parent, child, consent) == 204

    types = [record.type for record in await backend.reader.read(0, subject=child.id)]
    assert types[-1] == "ConsentWithdrawn"
    assert types.count("ProgressRecorded") == 1 + sum(task.result() for task in racing)
