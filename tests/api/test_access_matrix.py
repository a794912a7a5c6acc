"""Access matrix: every kind of person asks for everything about a child, and gets what the rule says and no more."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from adapters.wiring import Backend
from commands.change_role import ChangeRole, grant_role
from commands.publish_question import PublishQuestion, publish_question
from domain.access import Rule
from domain.user import guardianship_id
from tests.domain.questions import number
from tests.eventstore.conftest import a_cause

from .people import PASSWORD, Person, Register
from .talks import TERMS, Talks
from .test_access import RULES

PARENTS = {"parent", "parent of others", "parent until unlinked", "staff"}
ACTORS = ("nobody", "child", "sibling", *sorted(PARENTS))
ADMITTED = {
    Rule.ANYONE: {*ACTORS},
    Rule.NEWCOMER: {"nobody", *PARENTS},
    Rule.SIGNED_IN: {*ACTORS} - {"nobody"},
    Rule.STUDENT: {"child"},
    Rule.FOLLOWER: {"child", "parent"},
    Rule.GUARDIAN: {"parent"},
    Rule.INVITER: {"parent"},
    Rule.CARETAKER: {"parent"},
    Rule.CODE_HOLDER: PARENTS,
}
"""Who may, by rule, as it is meant; the child has a guardian, and whoever comes with a code is a parent."""
ABOUT_SOMEBODY = [
    name for name, rule in RULES.items() if "{" in name or rule is Rule.STUDENT or name == "GET /assessments"
]


TOPIC = "the matrix"
"""Of the one question that can be served."""


def wish(student_id: UUID) -> dict[str, Any]:
    return {"student_id": str(student_id), "subject": "math", "topic": TOPIC, "count": 1}


@dataclass(frozen=True, slots=True)
class World:
    """One child, and everybody who may or may not have to do with it."""

    people: dict[str, Person]
    report: dict[str, Any]

    @property
    def child(self) -> Person:
        return self.people["child"]

    @property
    def parent(self) -> Person:
        return self.people["parent"]

    def headers(self, actor: str) -> dict[str, str]:
        return self.people[actor].headers if actor in self.people else {}


@pytest.fixture(scope="module")
async def people(app: FastAPI, client: httpx.AsyncClient, register: Register) -> dict[str, Person]:
    backend: Backend = app.state.backend
    talks = Talks(client)
    question = number("1").model_copy(update={"id": uuid4(), "topic": TOPIC, "grade": 4})
    await publish_question(backend.log, PublishQuestion(cause=a_cause(), question=question))
    await backend.bank.refresh()
    parent, other, former, staff = [await register("parent") for _ in range(4)]
    child, sibling = [await register("student", by=parent) for _ in range(2)]
    await register("student", by=other)
    linked = await talks.pair(former, child, by=parent)
    assert await talks.sees(former, child)
    assert await talks.unlink(parent, linked["id"]) == 204
    for role in ("analyst", "auditor"):
        await grant_role(backend.log, ChangeRole(cause=a_cause(), user_id=staff.id, role=role))
    return {
        "child": child,
        "sibling": sibling,
        "parent": parent,
        "parent of others": other,
        "parent until unlinked": former,
        "staff": staff,
    }


@pytest.fixture
def world(people: dict[str, Person], report: dict[str, Any]) -> World:
    return World(people, report)


@pytest.fixture
async def wire(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client on a socket, which can leave a stream that has no end."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


class Asking:
    """One operation, asked for by one after the other; what a success would use up is there anew for everyone."""

    def __init__(self, wire: httpx.AsyncClient, world: World, register: Register) -> None:
        self._wire = wire
        self._talks = Talks(wire)
        self._world = world
        self._register = register
        self._served: dict[str, Any] = {"questions": [{"id": str(uuid4())}]}

    async def about_the_child(self, operation: str, actor: str) -> httpx.Response:
        """Ask about what exists."""
        child = self._world.child
        thing: UUID | str = child.id
        if operation == "DELETE /guardianships/{id}" and actor == "parent":
            second = await self._register("parent")
            thing = (await self._talks.pair(second, child, by=self._world.parent))["id"]
        elif operation == "DELETE /guardianships/{id}":
            thing = guardianship_id(self._world.parent.id, child.id)
        if operation == "DELETE /users/{id}" and actor == "parent":
            child = await self._register("student", by=self._world.parent)
        if operation in {"GET /assessments/{id}", "POST /assessments"}:
            self._served = (await self._serve()).json()
            thing = self._served["assessment_id"]
        if operation == "DELETE /users/{student_id}/consents/{id}":
            thing = (await self._talks.consent(self._world.parent, child)).json()["id"]
        return await self._ask(operation, actor, child.id, thing)

    async def _serve(self) -> httpx.Response:
        child = self._world.child
        served = await self._wire.post("/assessments/start", json=wish(child.id), headers=child.headers)
        assert served.status_code == 201, served.text
        return served

    async def about_nobody(self, operation: str, actor: str) -> httpx.Response:
        """Ask the same about what does not exist."""
        return await self._ask(operation, actor, uuid4(), uuid4())

    async def _ask(self, operation: str, actor: str, person: UUID, thing: UUID | str) -> httpx.Response:
        method, path = operation.split()
        if "{student_id}" not in path and path.startswith("/users"):
            thing = person
        if operation == "GET /assessments":
            path += f"?student_id={person}"
        address = path.replace("{student_id}", str(person)).replace("{id}", str(thing))
        headers = self._world.headers(actor)
        if operation == "POST /auth/logout" and headers:
            headers = {"authorization": f"Bearer {(await self._sign_in(actor))['access_token']}"}
        body = await self._body(operation, person)
        async with self._wire.stream(method, address, headers=headers, json=body) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                await answer.aread()
            return answer

    async def _body(self, operation: str, person: UUID) -> dict[str, Any] | None:
        body: dict[str, Any] | None = None
        match operation:
            case "POST /progress":
                body = self._world.report | {"student_id": str(person)}
            case "POST /assessments/start":
                body = wish(person)
            case "POST /assessments":
                answers = [{"id": one["id"], "answer": "1"} for one in self._served["questions"]]
                body = {
                    "student_id": str(person),
                    "subject": "math",
                    "topic": TOPIC,
                    "questions": answers,
                    "final": True,
                }
            case "PATCH /users/{id}":
                body = {"profile": {"name": "Ada Lovelace"}}
            case "POST /users":
                profile = {"name": "Ada", "grade_level": 4}
                email = f"{uuid4().hex}@family.example"
                body = {"email": email, "password": PASSWORD, "role": "student", "profile": profile}
            case "POST /users/{student_id}/consents":
                body = TERMS
            case "POST /guardianships":
                alone = await self._register("student")
                body = {"code": (await self._talks.code(alone, alone)).json()["code"]}
            case "POST /auth/login":
                body = {"email": self._world.child.email, "password": PASSWORD}
            case "POST /auth/refresh":
                body = {"refresh_token": (await self._sign_in("child"))["refresh_token"]}
        return body

    async def _sign_in(self, actor: str) -> dict[str, str]:
        body = {"email": self._world.people[actor].email, "password": PASSWORD}
        tokens: dict[str, str] = (await self._wire.post("/auth/login", json=body)).json()
        return tokens


@pytest.fixture
def asking(wire: httpx.AsyncClient, world: World, register: Register) -> Asking:
    return Asking(wire, world, register)


@pytest.mark.parametrize("operation", RULES)
@pytest.mark.parametrize("actor", ACTORS)
async def test_who_is_admitted_is_answered_and_nobody_else(asking: Asking, actor: str, operation: str) -> None:
    answer = await asking.about_the_child(operation, actor)

    if actor in ADMITTED[RULES[operation]]:
        assert answer.is_success, answer.text
    else:
        assert answer.status_code == (401 if actor == "nobody" else 403), answer.text


@pytest.mark.parametrize("operation", ABOUT_SOMEBODY)
@pytest.mark.parametrize("actor", ACTORS)
async def test_what_is_foreign_and_what_is_missing_are_answered_alike(
    asking: Asking, actor: str, operation: str
) -> None:
    missing = await asking.about_nobody(operation, actor)

    assert missing.status_code == (401 if actor == "nobody" else 403), missing.text
    if actor not in ADMITTED[RULES[operation]]:
        assert said(missing) == said(await asking.about_the_child(operation, actor))


def said(answer: httpx.Response) -> tuple[int, dict[str, Any], set[str]]:
    """Return status, body and names of headers, without what is every answer's own."""
    own = {"instance", "trace_id"}
    return answer.status_code, {k: v for k, v in answer.json().items() if k not in own}, set(answer.headers)


def test_the_matrix_knows_every_rule() -> None:
    assert set(ADMITTED) == set(Rule)
