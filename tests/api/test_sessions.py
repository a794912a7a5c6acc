"""Sessions: what was ended is over everywhere and for good, whatever Redis says, and nobody else is signed out."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import jwt
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.client import Monitor

from adapters.embedded.auth.key_file import load_keys
from adapters.identity import SupabaseIdentity
from adapters.sessions import Sessions
from adapters.settings import Settings
from adapters.wiring import Backend
from tests.faults.proxy import Proxy

from .live import Process, Reader, process
from .people import PASSWORD, Family, Person, Register
from .test_security import session_key

WITHIN = 5.0
"""Seconds after which whatever was ended is refused everywhere."""


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Process]:
    """Run a second process beside the one that `client` asks."""
    async with process(settings) as running:
        yield running


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
async def student(register: Register) -> Person:
    return await register("student")


def session_id_of(token: str) -> UUID:
    return UUID(jwt.decode(token, options={"verify_signature": False})["session_id"])


async def ask(client: httpx.AsyncClient, person: Person, token: str | None = None) -> int:
    headers = {"authorization": f"Bearer {token or person.token}"}
    return (await client.get(f"/users/{person.id}", headers=headers)).status_code


async def refused_after(client: httpx.AsyncClient, person: Person) -> float:
    """Ask until the answer is a refusal and return the seconds that took."""
    began = time.monotonic()
    while await ask(client, person) != 401:
        await asyncio.sleep(0.05)
        assert time.monotonic() - began < 2 * WITHIN
    return time.monotonic() - began


async def sign_in(client: httpx.AsyncClient, person: Person) -> Person:
    """Sign in on one more device."""
    answer = await client.post("/auth/login", json={"email": person.email, "password": PASSWORD})
    tokens = answer.json()
    return Person(person.id, person.email, tokens["access_token"], tokens["refresh_token"])


async def sign_in_at_supabase(settings: Settings, person: Person) -> Person:
    """Sign in without us, as supabase-js does in a browser."""
    async with httpx.AsyncClient() as http:
        tokens = await SupabaseIdentity(
            http,
            url=settings.supabase_url,
            publishable_key=settings.supabase_publishable_key.get_secret_value(),
            secret_key=settings.supabase_secret_key.get_secret_value(),
        ).login(person.email, PASSWORD)
    return Person(person.id, person.email, tokens.access_token, tokens.refresh_token)


async def log_out(client: httpx.AsyncClient, person: Person, **body: object) -> httpx.Response:
    return await client.post("/auth/logout", json=body, headers=person.headers)


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/auth/refresh", json={"refresh_token": token})


# Opening.


async def test_a_session_is_a_row_that_holds_ids_and_moments_and_no_token(
    client: httpx.AsyncClient, student: Person, owner: asyncpg.Connection
) -> None:
    await ask(client, student)

    row = await owner.fetchrow("select * from sessions where id = $1", session_id_of(student.token))
    assert row
    assert row["user_id"] == student.id
    assert row["revoked_at"] is None
    assert 3500 < row["expires_at"].timestamp() - time.time() <= 3600
    kept = str([dict(one) for one in await owner.fetch("select * from sessions join refresh_tokens on true")])
    assert student.token not in kept
    assert student.refresh_token not in kept


async def test_who_signed_in_at_supabase_itself_has_a_session_with_the_first_request(
    client: httpx.AsyncClient, settings: Settings, student: Person, owner: asyncpg.Connection
) -> None:
    direct = await sign_in_at_supabase(settings, student)
    count = "select count(*) from sessions where id = $1 and user_id = $2"
    before = await owner.fetchval(count, session_id_of(direct.token), student.id)

    status = await ask(client, direct)

    assert (before, status) == (0, 200)
    assert await owner.fetchval(count, session_id_of(direct.token), student.id) == 1
    assert (await refresh(client, direct.refresh_token)).status_code == 200


async def test_another_users_session_id_opens_nothing(
    machine: Path, client: httpx.AsyncClient, student: Person
) -> None:
    other = await sign_in(client, student)
    claims = jwt.decode(other.token, options={"verify_signature": False})
    key = load_keys(machine / "auth.json").signing[0]
    stranger = "11111111-2222-4333-8444-555555555555"
    token = jwt.encode({**claims, "sub": stranger}, key.private, "ES256", {"kid": key.kid})

    answer = await client.get(f"/users/{stranger}", headers={"authorization": f"Bearer {token}"})

    assert answer.json()["type"] == "/problems/token-refused"


# Ending.


@pytest.mark.parametrize("body", [{"json": {}}, {"json": {"all_devices": False}}, {}])
async def test_a_logout_ends_this_session_everywhere_and_no_other(
    client: httpx.AsyncClient, api: Process, student: Person, body: dict[str, object]
) -> None:
    tablet = await sign_in(client, student)
    async with httpx.AsyncClient(base_url=api.url) as elsewhere:
        assert await ask(elsewhere, student) == 200

        answer = await client.post("/auth/logout", headers=student.headers, **body)  # type: ignore[arg-type]

        here = await ask(client, student)
        assert await refused_after(elsewhere, student) < WITHIN
        assert (answer.status_code, answer.content, here) == (204, b"", 401)
        assert await ask(elsewhere, tablet) == 200
    assert (await refresh(client, student.refresh_token)).status_code == 401
    assert (await refresh(client, tablet.refresh_token)).status_code == 200


async def test_a_logout_from_all_devices_ends_every_session_even_those_nobody_has_seen(
    client: httpx.AsyncClient, settings: Settings, student: Person
) -> None:
    tablet, unseen = await sign_in(client, student), await sign_in_at_supabase(settings, student)

    answer = await log_out(client, student, all_devices=True)

    assert answer.status_code == 204
    assert [await ask(client, one) for one in (student, tablet, unseen)] == [401, 401, 401]
    for ended in (student, tablet, unseen):
        assert (await refresh(client, ended.refresh_token)).status_code == 401
    again = await sign_in(client, student)
    assert await ask(client, again) == 200


async def test_a_token_got_by_an_ended_sessions_refresh_at_supabase_opens_nothing(
    client: httpx.AsyncClient, machine: Path, student: Person
) -> None:
    await log_out(client, student)
    claims = jwt.decode(student.token, options={"verify_signature": False})
    key = load_keys(machine / "auth.json").signing[0]
    later = {**claims, "iat": claims["iat"] + 1, "exp": claims["exp"] + 1}

    status = await ask(client, student, jwt.encode(later, key.private, "ES256", {"kid": key.kid}))

    assert status == 401


async def test_an_operators_revocation_is_seen_by_two_processes_and_an_open_stream_within_five_seconds(
    client: httpx.AsyncClient, api: Process, app_backend: Backend, student: Person
) -> None:
    async with (
        httpx.AsyncClient(base_url=api.url) as elsewhere,
        Reader(api.url, student, student).connect() as events,
    ):
        await anext(events)
        assert [await ask(one, student) for one in (client, elsewhere)] == [200, 200]

        await app_backend.sessions.revoke(session_id_of(student.token), "operator")
        began = time.monotonic()

        async def stream_ends() -> float:
            *_, last = [event async for event in events]
            assert last.data == {"reason": "token-refused"}
            return time.monotonic() - began

        seconds = await asyncio.gather(refused_after(client, student), refused_after(elsewhere, student), stream_ends())

    assert max(seconds) < WITHIN


@pytest.fixture
def app_backend(api: Process) -> Backend:
    return api.backend


async def test_a_revocation_is_seen_within_five_seconds_without_redis_too(settings: Settings, student: Person) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with (
        process(away) as api,
        httpx.AsyncClient(base_url=api.url) as client,
        Reader(api.url, student, student).connect() as events,
    ):
        await anext(events)
        assert await ask(client, student) == 200

        await api.backend.sessions.revoke(session_id_of(student.token), "operator")
        began = time.monotonic()
        assert await refused_after(client, student) < WITHIN
        *_, last = [event async for event in events]

    assert last.data == {"reason": "token-refused"}
    assert time.monotonic() - began < WITHIN


async def test_a_flushed_redis_signs_nobody_out_and_nobody_in(
    client: httpx.AsyncClient, api: Process, redis: Redis, student: Person
) -> None:
    tablet = await sign_in(client, student)
    await ask(client, tablet)
    await log_out(client, student)

    async with httpx.AsyncClient(base_url=api.url) as elsewhere:
        for _ in range(3):
            await redis.flushall()
            statuses = [await ask(one, who) for one in (client, elsewhere) for who in (student, tablet)]

            assert statuses == [401, 200, 401, 200]


async def test_what_redis_remembers_of_an_ended_session_counts_for_nothing(
    client: httpx.AsyncClient, redis: Redis, student: Person
) -> None:
    await ask(client, student)
    remembered = await redis.hgetall(session_key(student.token))
    await log_out(client, student)
    for name, value in remembered.items():  # as a slow writer would, who had looked before
        await redis.hset(session_key(student.token), name, value)

    assert await ask(client, student) == 401


async def test_who_cannot_ask_postgres_for_five_seconds_believes_redis_nothing(
    settings: Settings, student: Person, owner: asyncpg.Connection
) -> None:
    address = urlsplit(settings.database_url.get_secret_value())
    async with Proxy("127.0.0.1", address.port or 0) as link:
        there = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{link.port}")).geturl()
        cut_off = settings.model_copy(update={"database_url": SecretStr(there)})
        async with process(cut_off) as api, httpx.AsyncClient(base_url=api.url, timeout=15) as elsewhere:
            assert await ask(elsewhere, student) == 200
            link.go_away()
            await Sessions(cast("asyncpg.Pool", owner)).revoke(session_id_of(student.token), "operator")
            began = time.monotonic()
            while (status := await ask(elsewhere, student)) == 200:  # noqa: ASYNC110  there is nothing else to wait for
                await asyncio.sleep(0.1)
            seconds = time.monotonic() - began
            link.come_back()
            while (later := await ask(elsewhere, student)) == 503:  # noqa: ASYNC110  "
                await asyncio.sleep(0.1)

    assert (status, later) == (503, 401)
    assert 1 < seconds < WITHIN + 0.5


# Refreshing.


async def test_a_refresh_works_once_and_within_ten_seconds_brings_the_same_successor_again(
    client: httpx.AsyncClient, student: Person
) -> None:
    first, second = [await refresh(client, student.refresh_token) for _ in range(2)]

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["refresh_token"] == second.json()["refresh_token"] != student.refresh_token
    assert session_id_of(first.json()["access_token"]) == session_id_of(student.token)


async def age(owner: asyncpg.Connection, seconds: int, *tables: str) -> None:
    """Let used refresh tokens be older than they are."""
    for table in tables:
        await owner.execute(f"update {table} set used_at = used_at - make_interval(secs => $1)", seconds)


@pytest.mark.parametrize("lenient", [False, True])
async def test_a_reused_refresh_token_ends_the_whole_family_here_and_at_the_provider(
    client: httpx.AsyncClient, settings: Settings, student: Person, owner: asyncpg.Connection, *, lenient: bool
) -> None:
    """A lenient provider still takes the parent of the active token, as Supabase does for as long as it likes."""
    tablet = await sign_in(client, student)
    next_pair = (await refresh(client, student.refresh_token)).json()
    await age(owner, 11, "refresh_tokens", *(() if lenient else ("auth_standin.refresh_tokens",)))

    reused = await refresh(client, student.refresh_token)

    assert reused.json()["type"] == "/problems/credentials-wrong"
    assert [await ask(client, student, token) for token in (student.token, next_pair["access_token"])] == [401, 401]
    assert (await refresh(client, next_pair["refresh_token"])).status_code == 401
    assert await ask(client, tablet) == 200
    async with httpx.AsyncClient(base_url=settings.supabase_url) as supabase:
        key = settings.supabase_publishable_key.get_secret_value()
        answer = await supabase.post(
            "/auth/v1/token?grant_type=refresh_token",
            json={"refresh_token": next_pair["refresh_token"]},
            headers={"apikey": key},
        )
    assert answer.status_code == 400


async def test_500_racing_refreshes_of_one_token_at_two_processes_leave_one_family(
    client: httpx.AsyncClient, api: Process, student: Person, owner: asyncpg.Connection
) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=60, limits=httpx.Limits(max_connections=100)) as elsewhere:
        answers = await asyncio.gather(
            *(refresh(one, student.refresh_token) for _ in range(250) for one in (client, elsewhere))
        )

    pairs = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 401, 503}
    assert len({pair["refresh_token"] for pair in pairs}) == 1
    assert {session_id_of(pair["access_token"]) for pair in pairs} == {session_id_of(student.token)}
    live = "select count(*) from sessions where user_id = $1 and revoked_at is null"
    unused = "select count(*) from refresh_tokens where session_id = $1 and used_at is null"
    assert await owner.fetchval(live, student.id) == 1
    assert await owner.fetchval(unused, session_id_of(student.token)) == 1


async def test_a_refresh_that_races_a_logout_leaves_nothing_open(
    client: httpx.AsyncClient, api: Process, register: Register
) -> None:
    async with httpx.AsyncClient(base_url=api.url, timeout=30) as elsewhere:
        for _ in range(10):
            student = await register("student")

            answer, gone = await asyncio.gather(refresh(elsewhere, student.refresh_token), log_out(client, student))

            assert gone.status_code == 204
            if answer.status_code == 200:
                assert await ask(client, student, answer.json()["access_token"]) == 401
                assert (await refresh(client, answer.json()["refresh_token"])).status_code == 401


async def test_who_signed_out_at_supabase_is_signed_out_here_with_the_next_refresh(
    client: httpx.AsyncClient, settings: Settings, student: Person
) -> None:
    async with httpx.AsyncClient(base_url=settings.supabase_url) as supabase:
        key = settings.supabase_publishable_key.get_secret_value()
        await supabase.post("/auth/v1/logout?scope=local", headers={"apikey": key, **student.headers})

    assert (await refresh(client, student.refresh_token)).status_code == 401
    assert await ask(client, student) == 401


# With Supabase away, and what it costs.


async def test_without_supabase_nobody_signs_in_and_who_is_signed_in_goes_on(
    settings: Settings, student: Person, redis: Redis
) -> None:
    address = urlsplit(settings.supabase_url)
    async with Proxy("127.0.0.1", address.port or 0) as link:
        by_link = {"supabase_url": f"http://127.0.0.1:{link.port}", "jwt_issuer": settings.issuer}
        async with (
            process(settings.model_copy(update=by_link)) as api,
            httpx.AsyncClient(base_url=api.url, timeout=30) as client,
        ):
            assert await ask(client, student) == 200
            link.go_away()

            login = await client.post("/auth/login", json={"email": student.email, "password": PASSWORD})
            again = await refresh(client, student.refresh_token)
            await redis.flushall()
            going_on = await ask(client, student)
            ready = await client.get("/health/ready")
            leaving = await log_out(client, student)

            assert (login.status_code, again.status_code) == (503, 503)
            assert int(login.headers["retry-after"]) >= 1
            assert login.json()["type"] == "/problems/identity-unavailable"
            assert going_on == 200
            assert ready.json() == {"status": "ready", "degraded": ["identity"]}
            assert leaving.status_code == 204
            assert await ask(client, student) == 401
            link.come_back()
            assert (await refresh(client, student.refresh_token)).status_code == 401


async def commands_sent(redis: Redis, monitor: Monitor) -> list[str]:
    """Return what was sent since the monitor began, but for what scripts did and what opens a connection."""
    await redis.echo("that is all")
    sent: list[str] = []
    async for command in monitor.listen():
        name = command["command"].split()[0]
        if name == "ECHO":
            return sent
        if command["client_type"] != "lua" and name not in {"HELLO", "CLIENT"}:
            sent.append(name)
    return sent


@pytest.mark.parametrize("path", ["/users", "/progress"])
@pytest.mark.parametrize("by_guardian", [False, True], ids=["by-the-child", "by-a-guardian"])
async def test_a_cached_query_with_session_and_limit_is_one_command_to_redis(
    api: Process, family: Family, redis: Redis, path: str, *, by_guardian: bool
) -> None:
    viewer = family.parent if by_guardian else family.child
    address = f"{api.url}{path}/{family.child.id}"
    async with httpx.AsyncClient(headers=viewer.headers, timeout=30) as client:
        for _ in range(2):
            await client.get(address)

        async with redis.monitor() as monitor:
            alone = [await client.get(address) for _ in range(3)]
            one_each = await commands_sent(redis, monitor)
            at_once = await asyncio.gather(*(client.get(address) for _ in range(20)))
            shared = await commands_sent(redis, monitor)

    assert {answer.status_code for answer in (*alone, *at_once)} == {200}
    assert one_each == ["EVALSHA"] * 3
    assert set(shared) == {"EVALSHA"}
    assert len(shared) <= 20
