"""The API on real machines: Postgres, Valkey and the auth stand-in, and some people who have accounts."""

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.loopback import free_port
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import create_app
from api.server import build_server
from domain.consent import POLICY

from .people import PASSWORD, Family, Person, Register
from .refusals import CANARY
from .talks import Talks

UNLIMITED = dict.fromkeys(("rate_limit", "rate_limit_burst", "login_limit", "login_limit_of_account"), 60_000_000)
"""Settings under which one machine may send what a thousand do."""


def key_set() -> str:
    return json.dumps({"1": b64encode(bytes(range(32))).decode()})


@pytest.fixture(scope="session")
async def settings(postgres: EmbeddedPostgres, valkey: str, machine: Path) -> AsyncIterator[Settings]:
    database = f"api_{uuid4().hex}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"create database {database} template afterschool_template")
    await connection.close()
    database_url = postgres.url.rsplit("/", 1)[0] + f"/{database}"
    port = free_port()
    auth = StandInSettings(
        database_url=database_url,
        url=f"http://127.0.0.1:{port}",
        publishable_key="sb_publishable_test",
        secret_key="sb_secret_test",
        key_file=machine / "auth.json",
    )
    settings = Settings.model_validate(
        {
            "database_url": database_url,
            "redis_url": valkey,
            "supabase_url": auth.url,
            "supabase_publishable_key": auth.publishable_key,
            "supabase_secret_key": auth.secret_key,
            "master_keys": key_set(),
            "fingerprint_keys": key_set(),
            "cors_origins": ["https://app.example"],
            **UNLIMITED,
        }
    )
    async with open_stand_in(auth) as stand_in, running(stand_in.app, port):
        yield settings


@asynccontextmanager
async def running(app: object, port: int) -> AsyncIterator[None]:
    """Serve an ASGI application on a port of 127.0.0.1."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings, registry=CollectorRegistry())
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test", timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def register(client: httpx.AsyncClient) -> Register:
    """Return what registers a person, by themself or by a parent who consents, and signs them in."""

    async def register(role: str, by: Person | None = None, scopes: Sequence[str] = ("learning",)) -> Person:
        email = f"{uuid4().hex}@family.example"
        profile = {"name": "Ada", "grade_level": 4 if role == "student" else None, "learning_preferences": ["visual"]}
        body: dict[str, object] = {"email": email, "password": PASSWORD, "role": role, "profile": profile}
        if by:
            body["consent"] = {"policy_version": POLICY, "scopes": list(scopes), "country": "IT"}
        made = await client.post("/users", json=body, headers=by.headers if by else {})
        assert made.status_code == 201, made.text
        tokens = (await client.post("/auth/login", json={"email": email, "password": PASSWORD})).json()
        return Person(UUID(made.json()["id"]), email, tokens["access_token"], tokens["refresh_token"])

    return register


@pytest.fixture(scope="session")
async def family(register: Register) -> Family:
    parent = await register("parent")
    return Family(
        parent=parent,
        child=await register("student", by=parent),
        other=await register("student", by=await register("parent")),
        stranger=await register("parent"),
    )


@pytest.fixture
def talks(client: httpx.AsyncClient) -> Talks:
    return Talks(client)


@pytest.fixture
def report(family: Family) -> dict[str, object]:
    """Return a progress report that is accepted as it is."""
    return {
        "student_id": str(family.child.id),
        "subject": "Mathematics",
        "topic": "Adding fractions",
        "score": 87.5,
        "time_spent": 300,
        "completed": True,
    }


@pytest.fixture(scope="session")
async def url(app: FastAPI, settings: Settings) -> AsyncIterator[str]:
    """Serve the application as `afterschool serve` does, on a free port."""
    server = build_server(app, settings.model_copy(update={"port": 0}))
    server.config.lifespan = "off"
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
def bodies(family: Family, report: dict[str, object]) -> dict[str, dict[str, Any]]:
    """Return an acceptable body for each route that takes one."""
    profile = {"name": "Ada", "grade_level": 4, "learning_preferences": ["visual"], "timezone": "Europe/Berlin"}
    return {
        "/progress": {**report, "occurred_at": None},
        "/users": {"email": "new@family.example", "password": PASSWORD, "role": "student", "profile": profile},
        "/auth/login": {"email": family.child.email, "password": PASSWORD},
        "/auth/refresh": {"refresh_token": "unknown"},
    }


@pytest.fixture
async def nothing_happens(app: FastAPI, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Make sure that the log stays as it is and that neither it nor any logger has seen the canary."""
    backend: Backend = app.state.backend
    caplog.set_level(logging.DEBUG)
    before = await backend.reader.head()
    with capture_logs() as logged:
        yield
    ours = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert await backend.reader.head() == before
    assert CANARY not in str(logged) + str(ours)
