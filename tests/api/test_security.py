"""Security: a token opens a session once, Redis is what requests read, and without Redis nothing is let through."""

import time
from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import UUID, uuid4

import httpx
import hypothesis
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis

from adapters.settings import Settings
from api.app import create_app
from tests.adapters.provider import a_token, part

from .people import Family, as_bytes

ANYTHING: st.SearchStrategy[object] = st.none() | st.integers() | st.text()
GARBAGE = st.one_of(
    st.binary(max_size=9000),
    st.text(max_size=200).map(str.encode),
    st.lists(st.binary(max_size=60).map(part), min_size=1, max_size=5).map(lambda parts: ".".join(parts).encode()),
    st.dictionaries(st.text(max_size=8), ANYTHING, max_size=9).map(lambda claims: a_token(claims).encode()),
)
"""What may come as a token: any bytes, any text, anything in parts, and what a stranger signed."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


def session_key(token: str) -> str:
    return f"session:{sha256(token.encode()).hexdigest()}"


async def remember(redis: Redis, user_id: UUID, expires_at: float) -> None:
    """Let Redis hold the session of a token that is none."""
    fields = {"user_id": user_id, "session_id": uuid4(), "expires_at": int(expires_at), "checked_at": int(time.time())}
    for name, value in fields.items():
        await redis.hset(session_key("opaque"), name, str(value))


async def test_a_verified_token_becomes_a_session_under_its_hash(
    client: httpx.AsyncClient, family: Family, redis: Redis
) -> None:
    await client.get(f"/users/{family.child.id}", headers=family.child.headers)

    session = await redis.hgetall(session_key(family.child.token))
    assert session[b"user_id"] == str(family.child.id).encode()
    assert 0 < await redis.ttl(session_key(family.child.token)) <= 300
    assert not [key for key in await redis.keys() if family.child.token.encode() in key]


async def test_requests_read_the_session_and_not_the_token(
    client: httpx.AsyncClient, family: Family, redis: Redis
) -> None:
    await remember(redis, family.child.id, time.time() + 60)

    answer = await client.get(f"/users/{family.child.id}", headers={"authorization": "bearer opaque"})

    assert answer.status_code == 200


async def test_a_session_that_is_over_is_verified_anew(client: httpx.AsyncClient, family: Family, redis: Redis) -> None:
    await remember(redis, family.child.id, time.time() - 1)

    answer = await client.get(f"/users/{family.child.id}", headers={"authorization": "Bearer opaque"})

    assert answer.json()["type"] == "/problems/token-refused"


async def test_a_flush_signs_nobody_out(client: httpx.AsyncClient, family: Family, redis: Redis) -> None:
    await client.get(f"/users/{family.child.id}", headers=family.child.headers)
    await redis.flushall()

    answer = await client.get(f"/users/{family.child.id}", headers=family.child.headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        *("Bearer", "Bearer ", "Bearer canary7f3a", "Bearer a b", "Bearer a.b.c"),
        *("Bearer " + "x" * 9000, "Bearer é", "Bearer eyJhbGciOiJub25lIn0.e30."),
    ],
)
async def test_what_is_no_valid_token_is_refused_without_a_reason(
    client: httpx.AsyncClient, family: Family, header: str
) -> None:
    answer = await client.get(f"/users/{family.child.id}", headers=as_bytes({"authorization": header}))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["type"] == "/problems/token-refused"
    assert "canary7f3a" not in answer.text


@hypothesis.settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=GARBAGE)
async def test_no_garbage_is_anything_but_a_refusal_that_says_how_to_sign_in(
    client: httpx.AsyncClient, family: Family, token: bytes
) -> None:
    for method, path in (("GET", f"/progress/{family.child.id}"), ("POST", "/users"), ("GET", "/guardianships")):
        answer = await client.request(method, path, headers=[(b"authorization", b"Bearer " + token)])

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "canary7f3a", "Bearer\tx"])
async def test_without_a_bearer_token_the_challenge_has_no_error_code(
    client: httpx.AsyncClient, family: Family, header: str | None
) -> None:
    headers = {} if header is None else {"authorization": header}

    answer = await client.get(f"/users/{family.child.id}", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/not-signed-in"
    assert "canary7f3a" not in answer.text


async def test_two_tokens_are_refused(client: httpx.AsyncClient, family: Family) -> None:
    headers = [*family.child.headers.items(), *family.child.headers.items()]

    answer = await client.get(f"/users/{family.child.id}", headers=headers)

    assert answer.status_code == 401


async def test_a_token_somebody_changed_is_refused(client: httpx.AsyncClient, family: Family) -> None:
    header, payload, signature = family.child.token.split(".")
    _, other_payload, _ = family.other.token.split(".")

    answers = [
        await client.get(f"/users/{family.child.id}", headers={"authorization": f"Bearer {token}"})
        for token in (f"{header}.{other_payload}.{signature}", f"{header}.{payload}.{signature[:-4]}AAAA", payload)
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


@pytest.fixture
async def without_redis(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    app: FastAPI = create_app(away, registry=CollectorRegistry())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client,
    ):
        yield client


async def test_without_redis_everything_works_and_nothing_is_let_through(
    without_redis: httpx.AsyncClient, family: Family, report: dict[str, object]
) -> None:
    path = f"/progress/{family.child.id}"

    recorded = await without_redis.post("/progress", json=report, headers=family.child.headers)
    read = [(await without_redis.get(path, headers=person.headers)).status_code for person in family.all]
    profile = await without_redis.get(f"/users/{family.child.id}", headers=family.parent.headers)
    forged = await without_redis.get(path, headers={"authorization": "Bearer opaque"})
    ready = await without_redis.get("/health/ready")

    assert recorded.status_code == 201
    assert read == [200, 200, 403, 403]
    assert profile.status_code == 200
    assert forged.status_code == 401
    assert ready.json() == {"status": "ready", "degraded": ["redis"]}
