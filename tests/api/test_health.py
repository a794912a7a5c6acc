"""Health and metrics: what an operator's machines ask, and how the answers come about."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr
from structlog.testing import capture_logs

from adapters.embedded.loopback import free_port
from adapters.settings import Settings
from api.app import create_app
from api.health import Finding, Readiness
from api.metrics import metrics_listener

from .people import Family


async def test_a_process_that_answers_is_live_and_with_its_machines_ready(client: httpx.AsyncClient) -> None:
    live = await client.get("/health/live")
    ready = await client.get("/health/ready")

    assert live.json() == {"status": "live", "degraded": []}
    assert ready.json() == {"status": "ready", "degraded": []}


@pytest.fixture
async def alone(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application whose machines are all away."""
    away = settings.model_copy(
        update={
            "database_url": SecretStr("postgresql://nobody:nothing@127.0.0.1:1/none"),
            "redis_url": SecretStr("redis://127.0.0.1:1/0"),
            "supabase_url": "http://127.0.0.1:1",
        }
    )
    app = create_app(away, registry=CollectorRegistry())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client,
    ):
        yield client


async def test_a_process_whose_machines_are_away_lives_but_is_not_ready(alone: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        live = await alone.get("/health/live")
        ready = await alone.get("/health/ready")

    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.headers["content-type"] == "application/problem+json"
    assert ready.headers["retry-after"] == "1"
    assert ready.json()["away"] == ["postgres", "keys", "identity", "redis"]
    assert {line["machine"] for line in logged if line["event"] == "machine_away"} == {
        *("postgres", "identity", "keys", "redis")
    }
    assert "nothing" not in str(logged)


async def test_with_its_machines_away_requests_are_told_to_come_back(
    alone: httpx.AsyncClient, family: Family, report: dict[str, object]
) -> None:
    answers = [
        await alone.post("/auth/login", json={"email": "a@b.de", "password": "correct horse"}),
        await alone.post("/progress", json=report, headers=family.child.headers),
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert [answer.headers["retry-after"] for answer in answers] == ["1", "1"]


async def test_machines_are_asked_once_however_many_want_to_know() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    readiness = Readiness(needed={"postgres": count}, optional={})

    findings = await asyncio.gather(*(readiness.look() for _ in range(50)))
    again = await readiness.look()

    assert asked == 1
    assert {*findings, again} == {Finding(away=(), degraded=())}


async def test_whoever_gives_up_asking_spoils_no_answer() -> None:
    let_go = asyncio.Event()
    readiness = Readiness(needed={"postgres": lambda: _wait(let_go)}, optional={})
    hasty = asyncio.create_task(readiness.look())
    patient = asyncio.create_task(readiness.look())
    await asyncio.sleep(0)

    hasty.cancel()
    let_go.set()

    assert await patient == Finding(away=(), degraded=())


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def test_requests_are_counted_by_operation_and_class_of_status_and_by_nothing_personal(
    settings: Settings, family: Family
) -> None:
    registry = CollectorRegistry()
    app = create_app(settings, registry=registry)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client,
    ):
        await client.get(f"/users/{family.child.id}", headers=family.child.headers)
        await client.get(f"/users/{family.child.id}", headers=family.stranger.headers)
        await client.get("/nowhere/canary7f3a")

    page = generate_latest(registry).decode()

    assert 'afterschool_http_request_seconds_count{operation="GetUserProfile",status="2xx"} 1.0' in page
    assert 'afterschool_http_request_seconds_count{operation="GetUserProfile",status="4xx"} 1.0' in page
    assert 'afterschool_http_request_seconds_count{operation="none",status="4xx"} 1.0' in page
    assert "canary7f3a" not in page
    assert str(family.child.id) not in page


async def test_metrics_have_a_listener_of_their_own() -> None:
    port = free_port()

    with metrics_listener("127.0.0.1", port, CollectorRegistry()):
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")

    assert answer.status_code == 200


async def test_the_api_itself_shows_no_metrics(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")

    assert answer.status_code == 404
