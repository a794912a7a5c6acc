"""Accesses: whoever but the child reads a child's data is recorded, once a read, and the family sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import ROUTES, create_app
from api.security import check_may_follow
from commands.publish_question import PublishQuestion, publish_question
from domain.access import Rule
from domain.reads import Read
from tests.domain.questions import number
from tests.eventstore.conftest import a_cause
from tests.workers.running import eventually

from .people import Family, Person, Register

ABOUT_NOBODY = {"DescribeProblem"}
READS = {
    route.operation: route.path
    for route in ROUTES
    if (route.access is Rule.FOLLOWER or "{" in route.path)
    and route.methods == {"GET"}
    and route.operation not in ABOUT_NOBODY
}
"""Every query about somebody, by the name of its operation."""
SERVED: dict[UUID, str] = {}
"""Assessments by student."""
each_read = pytest.mark.parametrize("operation", READS)


@pytest.fixture
def backend(app: FastAPI) -> Backend:
    opened: Backend = app.state.backend
    return opened


@pytest.fixture
async def parent(register: Register) -> Person:
    return await register("parent")


@pytest.fixture
async def child(register: Register, parent: Person, client: httpx.AsyncClient, backend: Backend) -> Person:
    """Return a child of this parent, who was served a question, and of whom nobody has read anything."""
    child = await register("student", by=parent)
    question = number("1/2").model_copy(update={"id": uuid4(), "topic": "accesses", "grade": 4})
    await publish_question(backend.log, PublishQuestion(cause=a_cause(), question=question))
    await backend.bank.refresh()
    wish = {"student_id": str(child.id), "subject": "math", "topic": "accesses", "count": 1}
    served = await client.post("/assessments/start", json=wish, headers=child.headers)
    SERVED[child.id] = served.json()["assessment_id"]
    return child


Recorded = Callable[..., Awaitable[list[Read]]]


@pytest.fixture
def recorded(backend: Backend) -> Recorded:
    """Return what waits until all is written, and returns what was read of a student, the first first."""

    async def recorded(student: UUID) -> list[Read]:
        async def all_is_written() -> bool:
            return not backend.read_ledger._waiting

        await eventually(all_is_written)
        query = "select id, at, actor, role, student, what, why from reads where student = $1 order by id"
        return [Read(*row) for row in await backend.pool.fetch(query, student)]

    return recorded


async def ask(client: httpx.AsyncClient, operation: str, who: Person, about: UUID) -> int:
    """Ask a query about somebody to its end, or, where it has none, let it begin and end it."""
    path = READS[operation].replace("{student_id}", str(about))
    if operation == "GetAssessment":
        path = path.replace("{id}", SERVED.get(about, str(about)))
    path = path.replace("{id}", str(about)) + (f"?student_id={about}" if operation == "ListAssessments" else "")
    if operation != "FollowStudent":
        return (await client.get(path, headers=who.headers)).status_code
    async with client.stream("GET", path, headers=who.headers) as answer:
        return answer.status_code


@pytest.fixture
async def wire(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client on a socket, which can leave a stream that has no end."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield client


@each_read
async def test_a_guardians_read_is_recorded_once_with_who_what_when_and_why(
    wire: httpx.AsyncClient, parent: Person, child: Person, recorded: Recorded, operation: str
) -> None:
    assert await ask(wire, operation, parent, child.id) == 200

    [read] = await recorded(child.id)
    assert read[2:] == (parent.id, "guardian", child.id, operation, "guardianship")
    assert timedelta() <= datetime.now(UTC) - read.at < timedelta(seconds=10)


@each_read
async def test_what_children_read_of_themselves_is_not_recorded(
    wire: httpx.AsyncClient, child: Person, recorded: Recorded, operation: str
) -> None:
    assert await ask(wire, operation, child, child.id) == 200

    assert await recorded(child.id) == []


@each_read
async def test_what_is_refused_is_no_read(
    wire: httpx.AsyncClient, family: Family, child: Person, recorded: Recorded, operation: str
) -> None:
    for about in (child.id, uuid4()):
        assert await ask(wire, operation, family.stranger, about) == 403
        assert await recorded(about) == []


async def test_cached_answers_are_recorded_too(
    client: httpx.AsyncClient, parent: Person, child: Person, recorded: Recorded
) -> None:
    for _ in range(3):
        assert await ask(client, "GetProgressSummary", parent, child.id) == 200

    assert [read.what for read in await recorded(child.id)] == ["GetProgressSummary"] * 3


async def test_a_stream_that_is_renewed_stays_one_read(
    wire: httpx.AsyncClient,
    parent: Person,
    child: Person,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = 0

    async def counted(*arguments: Any, **options: Any) -> None:  # noqa: ANN401  whatever it takes
        nonlocal checks
        await check_may_follow(*arguments, **options)
        checks += 1

    async def renewed() -> bool:
        return checks >= 3

    monkeypatch.setattr("api.routes.live.RECHECK", 0.05)
    monkeypatch.setattr("api.routes.live.check_may_follow", counted)
    async with wire.stream("GET", f"/live/{child.id}", headers=parent.headers) as answer:
        assert answer.status_code == 200
        await eventually(renewed)

    assert len(await recorded(child.id)) == 1


async def test_commands_are_no_reads(
    client: httpx.AsyncClient, parent: Person, child: Person, recorded: Recorded
) -> None:
    terms = {"policy_version": "2026-1", "scopes": ["learning"], "country": "IT"}
    granted = await client.post(f"/users/{child.id}/consents", json=terms, headers=parent.headers)
    ended = await client.delete(f"/users/{child.id}/consents/{granted.json()['id']}", headers=parent.headers)

    assert (granted.status_code, ended.status_code) == (201, 204)
    assert await recorded(child.id) == []


async def test_what_cannot_be_recorded_cannot_be_read(
    client: httpx.AsyncClient, backend: Backend, parent: Person, child: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ask(client, "GetProgressSummary", parent, child.id) == 200
    monkeypatch.setattr(backend.read_ledger, "_most", 0)

    refused = await client.get(f"/progress/{child.id}", headers=parent.headers)

    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/reads-unrecorded")
    assert refused.headers["retry-after"] == "1"
    assert await ask(client, "GetProgressSummary", child, child.id) == 200


async def test_a_process_that_stops_writes_what_waits(
    settings: Settings, parent: Person, child: Person, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.read_ledger.PACE", 60)
    app = create_app(settings, registry=CollectorRegistry())
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
        app.router.lifespan_context(app),
    ):
        assert await ask(client, "GetUserProfile", parent, child.id) == 200

    assert len(await recorded(child.id)) == 1


async def test_child_and_guardian_see_who_read_the_last_first(
    client: httpx.AsyncClient, parent: Person, child: Person, recorded: Recorded
) -> None:
    for operation in ("GetUserProfile", "GetProgressSummary"):
        await ask(client, operation, parent, child.id)
    await recorded(child.id)

    seen = await client.get(f"/users/{child.id}/access-log", headers=parent.headers)
    reads = await recorded(child.id)
    again = await client.get(f"/users/{child.id}/access-log", headers=child.headers)

    assert seen.status_code == again.status_code == 200
    assert seen.json() == {"items": again.json()["items"][1:], "next": None}
    assert [item["what"] for item in again.json()["items"]] == ["ListAccesses", "GetProgressSummary", "GetUserProfile"]
    first = again.json()["items"][-1]
    assert first == {
        "at": reads[0].at.isoformat().replace("+00:00", "Z"),
        "by": str(parent.id),
        "role": "guardian",
        "what": "GetUserProfile",
        "why": "guardianship",
    }


async def test_the_list_comes_in_pages_of_a_hundred_that_neither_miss_nor_double(
    client: httpx.AsyncClient, backend: Backend, parent: Person, child: Person, recorded: Recorded
) -> None:
    for n in range(250):
        backend.read_ledger.note(actor=parent.id, role="guardian", student=child.id, what=f"Read{n}", why="a test")
    await recorded(child.id)

    pages, after = list[list[str]](), ""
    while after is not None:
        answer = await client.get(f"/users/{child.id}/access-log{after and f'?after={after}'}", headers=child.headers)
        pages.append([item["what"] for item in answer.json()["items"]])
        after = answer.json()["next"]

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [what for page in pages for what in page] == [f"Read{n}" for n in reversed(range(250))]


async def test_a_cursor_shows_nobody_the_reads_of_others(
    client: httpx.AsyncClient, parent: Person, child: Person, family: Family, recorded: Recorded
) -> None:
    await ask(client, "GetUserProfile", parent, child.id)
    await recorded(child.id)

    answer = await client.get(f"/users/{family.other.id}/access-log?after={'7' * 16}", headers=family.other.headers)

    assert answer.json() == {"items": [], "next": None}


@pytest.mark.parametrize("after", ["", "1", "f" * 16, "0" * 15 + "g", "0" * 17])
async def test_a_cursor_that_is_none_is_refused(client: httpx.AsyncClient, child: Person, after: str) -> None:
    answer = await client.get(f"/users/{child.id}/access-log?after={after}", headers=child.headers)

    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (422, "cursor")
