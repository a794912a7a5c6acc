"""Fence: with the check of access gone, and the filters of queries too, no foreign row leaves the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import ROUTES
from commands.publish_question import PublishQuestion, publish_question
from domain.access import Rule
from domain.consent import POLICY
from eventstore.connections import PROJECTOR, create_pool
from eventstore.reader import LogReader
from eventstore.record import Record
from projections import progress_summary, user_profile
from tests.domain.questions import number
from tests.eventstore.conftest import a_cause
from tests.workers.conftest import new_projector
from tests.workers.running import eventually
from workers.subscription import TailingSubscription

from .live import Reader, record
from .people import Person, Register

RESULTS = "/assessments"
"""Answered from a read model alone."""
READS = [
    route.path
    for route in ROUTES
    if route.access is Rule.FOLLOWER and not route.path.startswith("/live/") and route.path != RESULTS
]


@dataclass(frozen=True)
class Home:
    """A family, and what is told of its child and of nobody else."""

    parent: Person
    child: Person
    told: dict[str, str]
    """By operation: words that an answer about the child holds."""
    assessment: str


@pytest.fixture
async def home(app: FastAPI, client: httpx.AsyncClient, register: Register, report: dict[str, Any]) -> Home:
    backend: Backend = app.state.backend

    async def reads_are_written() -> bool:
        return not backend.read_ledger._waiting

    parent = await register("parent")
    child = await register("student", by=parent)
    topic = uuid4().hex
    await record(client, child, report | {"topic": topic})
    terms = {"policy_version": POLICY, "scopes": ["learning"], "country": "IT"}
    consent = await client.post(f"/users/{child.id}/consents", json=terms, headers=parent.headers)
    question = number("1/2").model_copy(update={"id": uuid4(), "topic": topic, "grade": 4})
    await publish_question(backend.log, PublishQuestion(cause=a_cause(), question=question))
    await backend.bank.refresh()
    asked = {"student_id": str(child.id), "subject": "math", "topic": topic}
    served = await client.post("/assessments/start", json=asked | {"count": 1}, headers=child.headers)
    answers = {"questions": [{"id": str(question.id), "answer": "1/2"}]}
    await client.post("/assessments", json=asked | answers, headers=child.headers)
    assessment = served.json()["assessment_id"]
    told = {
        RESULTS: assessment,
        "/assessments/{id}": topic,
        "/progress/{student_id}": topic,
        "/users/{id}": child.email,
        "/users/{id}/export": "progress.csv",
        "/users/{student_id}/consents": consent.json()["id"],
        "/users/{id}/access-log": str(parent.id),
    }
    await client.get(f"/users/{child.id}", headers=parent.headers)
    await eventually(reads_are_written)
    return Home(parent, child, told, assessment)


@pytest.fixture
async def stranger(register: Register) -> Person:
    return await register("parent")


@pytest.fixture
async def projected(app: FastAPI, settings: Settings, home: Home, stranger: Person) -> AsyncIterator[None]:
    """Fold everything into the read models."""
    backend: Backend = app.state.backend
    pool = await create_pool(settings.database_url.get_secret_value(), PROJECTOR, size=3)
    projector, head = new_projector(pool, backend.cache), await backend.reader.head()
    assert {home.child.id, stranger.id} <= {one.subject for one in await backend.reader.read(0, limit=head)}
    async for delivery in TailingSubscription(backend.reader, await projector.cursors()).deliveries():
        await projector.apply(delivery)
        if delivery.position >= head:
            break
    yield
    await pool.close()


@pytest.fixture
def unchecked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody follow everybody, and this child too."""
    assert home

    async def check_nothing(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr("api.security.check_may_follow", check_nothing)
    monkeypatch.setattr("api.routes.live.check_may_follow", check_nothing)
    monkeypatch.setattr("api.routes.assessments.check_may_follow", check_nothing)


@pytest.fixture
def unfiltered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the queries of read models select everybody's rows."""
    for model, person in ((user_profile, "user_id"), (progress_summary, "student_id")):
        select = model._SELECT
        assert f"where {person} = $1" in select
        monkeypatch.setattr(model, "_SELECT", select.replace(f"where {person} = $1", "where $1::uuid is not null"))


Ask = Callable[[str, Person, Person], Awaitable[bytes]]


@pytest.fixture
async def ask(client: httpx.AsyncClient, settings: Settings, home: Home) -> AsyncIterator[Ask]:
    """Return what asks for a path about somebody while Redis holds nothing, and brings the answer."""
    redis = Redis.from_url(settings.redis_url.get_secret_value())

    async def ask(path: str, who: Person, about: Person) -> bytes:
        await redis.flushall()
        thing = home.assessment if path == "/assessments/{id}" else str(about.id)
        address = path.replace("{student_id}", str(about.id)).replace("{id}", thing)
        address += f"?student_id={about.id}" if path == RESULTS else ""
        answer = await client.get(address, headers=who.headers)
        assert answer.status_code in {200, 404}
        return answer.content

    yield ask
    await redis.aclose()


@pytest.mark.parametrize("path", READS)
async def test_the_family_itself_sees_it(ask: Ask, home: Home, path: str) -> None:
    for who in (home.child, home.parent):
        assert home.told[path].encode() in await ask(path, who, home.child)


@pytest.mark.usefixtures("projected")
async def test_the_family_itself_sees_the_results(ask: Ask, home: Home) -> None:
    for who in (home.child, home.parent):
        assert home.told[RESULTS].encode() in await ask(RESULTS, who, home.child)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("path", READS)
async def test_with_no_check_of_access_nothing_of_another_child_comes_back(
    ask: Ask, home: Home, stranger: Person, path: str
) -> None:
    assert home.told[path].encode() not in await ask(path, stranger, home.child)


@pytest.mark.usefixtures("unchecked", "projected")
@pytest.mark.parametrize("path", ["/progress/{student_id}", "/users/{id}", RESULTS])
async def test_nor_from_the_read_models(ask: Ask, home: Home, stranger: Person, path: str) -> None:
    assert home.told[path].encode() not in await ask(path, stranger, home.child)


@pytest.mark.usefixtures("unchecked", "projected", "unfiltered")
@pytest.mark.parametrize(("path", "own"), [("/progress/{student_id}", "user-unknown"), ("/users/{id}", "email")])
async def test_nor_with_the_filters_gone_as_well(ask: Ask, home: Home, stranger: Person, path: str, own: str) -> None:
    answer = await ask(path, stranger, home.child)

    assert home.told[path].encode() not in answer
    assert (stranger.email if own == "email" else own).encode() in answer


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("who", ["parent", "stranger"])
async def test_an_open_stream_reads_no_foreign_event(
    url: str, home: Home, stranger: Person, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: asyncio.Queue[list[Record]] = asyncio.Queue()
    read = LogReader.read

    async def read_and_tell(self: LogReader, after: int, **narrow: Any) -> list[Record]:  # noqa: ANN401
        page = await read(self, after, **narrow)
        if narrow.get("subject") == home.child.id:
            pages.put_nowait(page)
        return page

    monkeypatch.setattr(LogReader, "read", read_and_tell)
    reader = Reader(url, home.parent if who == "parent" else stranger, home.child, last_id="0")

    async with reader.connect() as events:
        assert (await anext(events)).type == "start"
        page = await asyncio.wait_for(pages.get(), 10)

    assert bool(page) is (who == "parent")
