"""The stand-in's refusals: each with the status and the code that Supabase Auth's contract has for it."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from adapters.embedded.auth.app import StandIn, open_stand_in
from tests.adapters.conftest import PUBLISHABLE, SECRET
from tests.adapters.embedded.auth.calls import (
    ADMIN,
    PASSWORD,
    USER,
    VERSION,
    Json,
    Make,
    bearing,
    execute,
    refresh,
    refusal,
    sign_in,
)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/token?grant_type=password", {"email": "ada@example.org", "password": "wrong"}, (400, "invalid_credentials")),
        ("/token?grant_type=password", {"email": "nobody@b.org", "password": PASSWORD}, (400, "invalid_credentials")),
        ("/token?grant_type=password", {"email": "ada@example.org"}, (400, "invalid_credentials")),
        ("/token?grant_type=password", {"password": PASSWORD}, (400, "validation_failed")),
        ("/token?grant_type=password", {"email": "a@b.org", "phone": "1", "password": "x"}, (400, "validation_failed")),
        ("/token?grant_type=password", {"phone": "1", "password": "x"}, (422, "phone_provider_disabled")),
        ("/token?grant_type=password", {"email": "ada@example.org", "password": "x" * 73}, (400, "validation_failed")),
        ("/token?grant_type=magic", {}, (400, "invalid_credentials")),
        ("/token", {}, (400, "invalid_credentials")),
        ("/token?grant_type=refresh_token", {"refresh_token": "unknown"}, (400, "refresh_token_not_found")),
        ("/signup", {"email": "new@example.org", "password": PASSWORD}, (422, "signup_disabled")),
    ],
)
async def test_what_users_ask_wrongly_is_refused_by_its_code(
    http: httpx.AsyncClient, make: Make, path: str, body: Json, expected: tuple[int, str]
) -> None:
    await make()

    assert refusal(await http.post(path, headers=USER, json=body)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "ada@example.org", "password": PASSWORD}, (422, "email_exists")),
        ({"email": " ADA@example.org", "password": PASSWORD}, (422, "email_exists")),
        ({"email": "b@c.org", "password": "1234567"}, (422, "weak_password")),
        ({"email": "b@c.org", "password": "x" * 73}, (400, "validation_failed")),
        ({"email": "b@c.org", "password_hash": "$2a$10$x"}, (400, "validation_failed")),
        ({"password": PASSWORD}, (400, "validation_failed")),
        ({"email": "no address"}, (400, "validation_failed")),
        ({"email": "b@c.org", "id": "7"}, (400, "validation_failed")),
        ({"email": "b@c.org", "id": str(UUID(int=0))}, (400, "validation_failed")),
        ({"email": "b@c.org", "ban_duration": "long"}, (400, "validation_failed")),
        ({"email": "b@c.org", "ban_duration": "999999999h"}, (400, "validation_failed")),
        ({"email": "b@c.org", "role": "a b"}, (400, "bad_json")),
        ({"email": 7}, (400, "bad_json")),
        ({"email": "b@c.org", "email_confirm": "yes"}, (400, "bad_json")),
        ({"email": "b@c.org", "user_metadata": []}, (400, "bad_json")),
    ],
)
async def test_what_administrators_ask_wrongly_is_refused_by_its_code(
    http: httpx.AsyncClient, make: Make, body: Json, expected: tuple[int, str]
) -> None:
    await make()

    assert refusal(await http.post("/admin/users", headers=ADMIN, json=body)) == expected


async def test_a_weak_password_comes_with_its_reasons(http: httpx.AsyncClient) -> None:
    answer = await http.post("/admin/users", headers=ADMIN, json={"email": "a@b.org", "password": "short"})

    assert answer.json()["weak_password"] == {"reasons": ["length"]}


async def test_a_taken_e_mail_or_id_is_refused_on_change_too(http: httpx.AsyncClient, make: Make) -> None:
    first = await make()
    await make(email="ben@example.org")

    answer = await http.put(f"/admin/users/{first['id']}", headers=ADMIN, json={"email": "BEN@example.org"})

    assert refusal(answer) == (422, "email_exists")


async def test_an_empty_refresh_token_is_refused_in_the_words_of_oauth(http: httpx.AsyncClient) -> None:
    for body in ({}, {"refresh_token": ""}):
        answer = await http.post("/token?grant_type=refresh_token", headers=USER, json=body)

        assert answer.status_code == 400
        assert answer.json() == {"error": "invalid_request", "error_description": "refresh_token required"}


async def test_an_unconfirmed_user_cannot_sign_in(http: httpx.AsyncClient, make: Make) -> None:
    user = await make(email_confirm=False)
    assert refusal(await sign_in(http)) == (400, "email_not_confirmed")

    await http.put(f"/admin/users/{user['id']}", headers=ADMIN, json={"email_confirm": True})
    assert (await sign_in(http)).status_code == 200


async def test_a_banned_user_cannot_sign_in_or_refresh_until_the_ban_is_lifted(
    http: httpx.AsyncClient, make: Make
) -> None:
    user = await make()
    token = (await sign_in(http)).json()["refresh_token"]
    path = f"/admin/users/{user['id']}"

    banned = await http.put(path, headers=ADMIN, json={"ban_duration": "1h30m"})
    assert banned.json()["banned_until"] is not None
    assert refusal(await sign_in(http)) == (400, "user_banned")
    assert refusal(await refresh(http, token)) == (400, "user_banned")

    await http.put(path, headers=ADMIN, json={"ban_duration": "none"})
    assert (await sign_in(http)).status_code == 200
    assert (await refresh(http, token)).status_code == 200


async def test_a_refresh_token_used_before_its_parent_is_refused_and_so_is_its_family(
    http: httpx.AsyncClient, make: Make
) -> None:
    await make()
    first = (await sign_in(http)).json()["refresh_token"]
    second = (await refresh(http, first)).json()["refresh_token"]
    third = (await refresh(http, second)).json()["refresh_token"]

    assert refusal(await refresh(http, first)) == (400, "refresh_token_already_used")
    assert refusal(await refresh(http, third)) == (400, "refresh_token_already_used")


async def test_a_refresh_token_without_its_session_is_refused(
    http: httpx.AsyncClient, make: Make, database: str
) -> None:
    await make()
    token = (await sign_in(http)).json()["refresh_token"]
    await execute(database, "update auth_standin.refresh_tokens set session_id = null")

    assert refusal(await refresh(http, token)) == (400, "session_not_found")


async def test_a_session_past_its_time_is_refused_and_later_forgotten(
    stand_in: StandIn, http: httpx.AsyncClient, make: Make, database: str
) -> None:
    await make()
    session = (await sign_in(http)).json()
    await execute(database, "update auth_standin.sessions set not_after = clock_timestamp() - interval '2 days'")

    assert refusal(await refresh(http, session["refresh_token"])) == (400, "session_expired")
    assert refusal(await http.get("/user", headers=bearing(session["access_token"]))) == (403, "session_not_found")

    async with open_stand_in(stand_in.settings):
        assert refusal(await refresh(http, session["refresh_token"])) == (400, "refresh_token_not_found")


async def test_a_refresh_that_waits_too_long_for_another_is_a_conflict(
    stand_in: StandIn, make: Make, database: str
) -> None:
    await make()
    async with open_stand_in(replace(stand_in.settings, lock_wait=0.05)) as hasty, hasty.client() as http:
        token = (await sign_in(http)).json()["refresh_token"]
        other = await asyncpg.connect(database)
        async with other.transaction():
            await other.execute("select from auth_standin.sessions for update")
            assert refusal(await refresh(http, token)) == (409, "conflict")
        await other.close()

        assert (await refresh(http, token)).status_code == 200


async def test_more_passwords_than_can_wait_are_told_to_come_back(stand_in: StandIn, make: Make) -> None:
    await make()
    async with open_stand_in(replace(stand_in.settings, password_queue=1)) as busy, busy.client() as http:
        answers = await asyncio.gather(sign_in(http), sign_in(http))

    assert sorted(answer.status_code for answer in answers) == [200, 429]
    assert {refusal(answer) for answer in answers if not answer.is_success} == {(429, "over_request_rate_limit")}


@pytest.mark.parametrize("path", ["/user", "/admin/users"])
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
async def test_a_call_without_a_bearer_is_refused(
    http: httpx.AsyncClient, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}

    assert refusal(await http.get(path, headers=headers)) == (401, "no_authorization")


@pytest.mark.parametrize("path", ["/user", "/admin/users"])
@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30", SECRET + "x", "é"])
async def test_a_bad_token_is_refused(http: httpx.AsyncClient, path: str, token: str) -> None:
    headers = {b"authorization": f"Bearer {token}".encode()}

    assert refusal(await http.get(path, headers=headers)) == (403, "bad_jwt")


async def test_tokens_of_a_user_or_session_that_is_gone_are_refused(http: httpx.AsyncClient, make: Make) -> None:
    user = await make()
    token = (await sign_in(http)).json()["access_token"]

    await http.post("/logout", headers=bearing(token))
    assert refusal(await http.get("/user", headers=bearing(token))) == (403, "session_not_found")

    await http.request("DELETE", f"/admin/users/{user['id']}", headers=ADMIN)
    assert refusal(await http.get("/user", headers=bearing(token))) == (403, "user_not_found")


async def test_only_the_secret_key_administers(http: httpx.AsyncClient, make: Make) -> None:
    user = await make(role="service_role")
    token = (await sign_in(http)).json()["access_token"]

    for bearer in (token, PUBLISHABLE):
        for method, path in (
            ("GET", "/admin/users"),
            ("POST", "/admin/users"),
            ("GET", f"/admin/users/{user['id']}"),
            ("PUT", f"/admin/users/{user['id']}"),
            ("DELETE", f"/admin/users/{user['id']}"),
        ):
            answer = await http.request(method, path, headers=bearing(bearer), json={})
            assert refusal(answer) == (403, "not_admin")


async def test_a_wrong_api_key_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/token?grant_type=password", headers={"apikey": "outdated"}, json={})

    assert answer.status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_unknown_and_malformed_ids_are_not_found(http: httpx.AsyncClient, method: str) -> None:
    unknown = await http.request(method, f"/admin/users/{uuid4()}", headers=ADMIN, json={})
    malformed = await http.request(method, "/admin/users/7", headers=ADMIN, json={})

    assert refusal(unknown) == (404, "user_not_found")
    assert refusal(malformed) == (404, "validation_failed")


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "\u0661", "9" * 5000])
async def test_a_page_that_is_no_number_is_refused(http: httpx.AsyncClient, page: str) -> None:
    answer = await http.get("/admin/users", params={"page": page}, headers=ADMIN)

    assert refusal(answer) == (400, "validation_failed")


async def test_an_unknown_logout_scope_is_refused(http: httpx.AsyncClient) -> None:
    assert refusal(await http.post("/logout?scope=some", headers=USER)) == (400, "validation_failed")


async def test_a_soft_deletion_is_refused(http: httpx.AsyncClient, make: Make) -> None:
    user = await make()

    answer = await http.request(
        "DELETE", f"/admin/users/{user['id']}", headers=ADMIN, json={"should_soft_delete": True}
    )

    assert refusal(answer) == (400, "validation_failed")


async def test_the_body_of_a_refusal_follows_the_version_the_client_speaks(http: httpx.AsyncClient) -> None:
    old = await http.get("/user")
    new = await http.get("/user", headers=VERSION)
    strange = await http.get("/user", headers={"x-supabase-api-version": "soon"})

    text = "This endpoint requires a valid Bearer token"
    assert old.json() == strange.json() == {"code": 401, "error_code": "no_authorization", "msg": text}
    assert new.json() == {"code": "no_authorization", "message": text}
    assert new.headers["x-supabase-api-version"] == "2024-01-01"
    assert new.headers["x-sb-error-code"] == "no_authorization"


async def test_calls_that_do_not_exist_are_refused_as_json(http: httpx.AsyncClient) -> None:
    assert (await http.get("/nothing")).json()["code"] == 404
    assert (await http.delete("/user")).json()["code"] == 405
