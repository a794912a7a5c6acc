"""The stand-in for Supabase Auth, call by call and refusal by refusal, as its contract has them."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import asyncpg
import httpx
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from supabase import AsyncClientOptions, create_async_client
from supabase_auth.errors import AuthApiError

from adapters.embedded.auth.app import StandIn, open_stand_in
from adapters.embedded.auth.key_file import KeyFileRefused, load_keys, rotate_signing_key
from adapters.embedded.auth.settings import load_stand_in_settings
from adapters.embedded.loopback import free_port
from adapters.settings import SettingsInvalid
from adapters.tokens import TokenVerifier
from tests.adapters.conftest import PUBLISHABLE, SECRET, stand_in_settings

PASSWORD = "correct horse"
ADMIN = {"apikey": SECRET, "authorization": f"Bearer {SECRET}"}
USER = {"apikey": PUBLISHABLE, "authorization": f"Bearer {PUBLISHABLE}"}
VERSION = {"x-supabase-api-version": "2024-01-01"}

Json = dict[str, object]
Make = Callable[..., Awaitable[Json]]


@pytest.fixture
def make(http: httpx.AsyncClient) -> Make:
    """Return a function that makes a user, good but for what is changed."""

    async def make_user(**changed: object) -> Json:
        body = {"email": "ada@example.org", "password": PASSWORD, "email_confirm": True, **changed}
        answer = await http.post("/admin/users", headers=ADMIN, json=body)
        assert answer.status_code == 200, answer.text
        user: Json = answer.json()
        return user

    return make_user


async def sign_in(http: httpx.AsyncClient, email: str = "ada@example.org", password: str = PASSWORD) -> httpx.Response:
    body = {"email": email, "password": password}
    return await http.post("/token", params={"grant_type": "password"}, headers=USER, json=body)


async def refresh(http: httpx.AsyncClient, token: object) -> httpx.Response:
    body = {"refresh_token": token}
    return await http.post("/token", params={"grant_type": "refresh_token"}, headers=USER, json=body)


def bearing(token: str) -> dict[str, str]:
    return {"apikey": PUBLISHABLE, "authorization": f"Bearer {token}"}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and error code, which header and body must say alike."""
    code: str = answer.json()["error_code"]
    assert answer.headers["x-sb-error-code"] == code
    return answer.status_code, code


async def execute(url: str, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


# What succeeds.


async def test_a_sign_in_answers_with_the_whole_session(http: httpx.AsyncClient, make: Make) -> None:
    user = await make()

    answer = await sign_in(http)

    session = answer.json()
    assert answer.status_code == 200
    assert session.keys() == {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"}
    assert (session["token_type"], session["expires_in"]) == ("bearer", 3600)
    assert abs(session["expires_at"] - time.time() - 3600) < 5
    assert session["user"]["id"] == user["id"]


async def test_an_access_token_carries_the_claims_of_the_contract(
    stand_in: StandIn, http: httpx.AsyncClient, make: Make
) -> None:
    user = await make(app_metadata={"plan": "free"}, user_metadata={"theme": "dark"})

    token = (await sign_in(http)).json()["access_token"]

    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert header.keys() == {"alg", "kid", "typ"}
    assert header["alg"] == "ES256"
    assert UUID(claims.pop("session_id"))
    assert claims.pop("exp") - claims.pop("iat") == 3600
    assert claims.pop("amr")[0]["method"] == "password"
    assert claims == {
        "iss": f"{stand_in.settings.url}/auth/v1",
        "sub": user["id"],
        "aud": "authenticated",
        "email": "ada@example.org",
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"], "plan": "free"},
        "user_metadata": {"theme": "dark"},
        "role": "authenticated",
        "aal": "aal1",
        "is_anonymous": False,
    }


async def test_a_user_has_the_members_of_the_contract(make: Make) -> None:
    user_id = str(uuid4())

    user = await make(id=user_id)

    assert user["id"] == user_id
    assert user.keys() >= {"id", "aud", "app_metadata", "user_metadata", "created_at"}
    assert user.keys() >= {"role", "email", "phone", "confirmed_at", "updated_at", "identities", "is_anonymous"}
    assert (user["email"], user["phone"], user["aud"]) == ("ada@example.org", "", "authenticated")


async def test_the_published_keys_are_public_elliptic_and_for_verifying(http: httpx.AsyncClient) -> None:
    answer = await http.get("/.well-known/jwks.json")

    [key] = answer.json()["keys"]
    assert answer.headers["cache-control"] == "public, max-age=600"
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert key["key_ops"] == ["verify"]


async def test_who_is_signed_in_can_look_at_themselves(http: httpx.AsyncClient, make: Make) -> None:
    user = await make()
    token = (await sign_in(http)).json()["access_token"]

    answer = await http.get("/user", headers=bearing(token))

    assert answer.status_code == 200
    assert answer.json()["id"] == user["id"]


@pytest.mark.parametrize(
    ("scope", "this_goes_on", "other_goes_on"),
    [(None, False, False), ("global", False, False), ("local", False, True), ("others", True, False)],
)
async def test_a_logout_ends_the_sessions_of_its_scope(
    http: httpx.AsyncClient,
    make: Make,
    scope: str | None,
    this_goes_on: bool,  # noqa: FBT001  a row of the table
    other_goes_on: bool,  # noqa: FBT001  "
) -> None:
    await make()
    this, other = [(await sign_in(http)).json() for _ in range(2)]

    answer = await http.post("/logout", params={"scope": scope} if scope else {}, headers=bearing(this["access_token"]))

    assert answer.status_code == 204
    for session, goes_on in ((this, this_goes_on), (other, other_goes_on)):
        assert (await refresh(http, session["refresh_token"])).is_success is goes_on
        assert (await http.get("/user", headers=bearing(session["access_token"]))).is_success is goes_on


async def test_an_administrator_shows_lists_changes_and_deletes_users(http: httpx.AsyncClient, make: Make) -> None:
    users = [await make(email=f"{name}@example.org") for name in ("ada", "ben", "cleo")]
    path = f"/admin/users/{users[0]['id']}"

    shown = await http.get(path, headers=ADMIN)
    listed = await http.get("/admin/users", params={"page": 2, "per_page": 2}, headers=ADMIN)
    changed = await http.put(path, headers=ADMIN, json={"email": "ada@example.com", "role": "author"})
    deleted = await http.request("DELETE", path, headers=ADMIN, json={"should_soft_delete": False})

    assert shown.json() == users[0]
    assert [user["id"] for user in listed.json()["users"]] == [users[0]["id"]]
    assert (listed.json()["aud"], listed.headers["x-total-count"]) == ("authenticated", "3")
    assert (changed.json()["email"], changed.json()["role"]) == ("ada@example.com", "author")
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert refusal(await http.get(path, headers=ADMIN)) == (404, "user_not_found")


async def test_changed_metadata_are_merged_and_a_null_takes_away(http: httpx.AsyncClient, make: Make) -> None:
    user = await make(user_metadata={"a": 1, "b": {"c": 2}})

    answer = await http.put(
        f"/admin/users/{user['id']}",
        headers=ADMIN,
        json={"user_metadata": {"a": None, "d": 3}, "app_metadata": {"x": 1}},
    )

    assert answer.json()["user_metadata"] == {"b": {"c": 2}, "d": 3}
    assert answer.json()["app_metadata"] == {"provider": "email", "providers": ["email"], "x": 1}


async def test_a_new_password_ends_all_sessions(http: httpx.AsyncClient, make: Make) -> None:
    user = await make()
    session = (await sign_in(http)).json()

    await http.put(f"/admin/users/{user['id']}", headers=ADMIN, json={"password": "another horse"})

    assert refusal(await refresh(http, session["refresh_token"])) == (400, "refresh_token_not_found")
    assert refusal(await sign_in(http)) == (400, "invalid_credentials")
    assert (await sign_in(http, password="another horse")).status_code == 200


async def test_unknown_members_of_a_body_are_ignored(http: httpx.AsyncClient, make: Make) -> None:
    await make(nonsense={"a": [1]})
    body = {
        "email": "ada@example.org",
        "password": PASSWORD,
        "data": {},
        "gotrue_meta_security": {"captcha_token": None},
    }

    answer = await http.post("/token?grant_type=password", headers=USER, json=body)

    assert answer.status_code == 200


async def test_the_health_call_answers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health")).status_code == 200


# What is refused, and how.


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


async def test_sign_up_opens_an_account_only_where_it_is_allowed(stand_in: StandIn) -> None:
    async with open_stand_in(replace(stand_in.settings, sign_up=True)) as opened, opened.client() as http:
        body = {"email": "ada@example.org", "password": PASSWORD, "data": {"theme": "dark"}}

        first = await http.post("/signup", headers=USER, json=body)
        second = await http.post("/signup", headers=USER, json=body)

    assert first.status_code == 200
    assert first.json()["user"]["user_metadata"] == {"theme": "dark"}
    assert refusal(second) == (422, "user_already_exists")


# What nobody should send.


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"email": "\xff"}',
        b'{"email": "\\ud800", "password": "xxxxxxxx"}',
        b"[" * 60_000,
        b'{"user_metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b', "email": "a@b.org"}',
        b'{"email": "a@b.org", "user_metadata": {"x": NaN}}',
        b'{"email": "a@b.org", "user_metadata": {"x": 1e999}}',
    ],
)
@pytest.mark.parametrize("path", ["/token?grant_type=password", "/token?grant_type=refresh_token", "/admin/users"])
async def test_a_body_that_makes_no_sense_is_refused(http: httpx.AsyncClient, path: str, raw: bytes) -> None:
    answer = await http.post(path, headers=ADMIN, content=raw)

    assert 400 <= answer.status_code < 500


async def test_deep_and_large_metadata_come_back_or_are_refused(http: httpx.AsyncClient) -> None:
    for depth in (50, 150, 190, 250):
        raw = b'{"email": "d%d@b.org", "user_metadata": {"a":' % depth + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
        answer = await http.post("/admin/users", headers=ADMIN, content=raw)
        assert answer.status_code in {200, 400}
        assert (await http.get("/admin/users", headers=ADMIN)).status_code == 200


async def test_a_body_beyond_64_kib_is_refused_while_it_arrives(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1024
            yield b" " * 1024

    answer = await http.post("/token?grant_type=password", headers=USER, content=endless())

    assert answer.status_code == 413
    assert sent < 100_000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    ["email", "phone", "password", "refresh_token", "id", "role", "user_metadata", "app_metadata", "ban_duration"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(members, values), target=st.sampled_from(["POST /token", "POST /admin/users", "PUT"]))
async def test_no_body_makes_the_stand_in_fail(http: httpx.AsyncClient, body: Json, target: str) -> None:
    method, _, path = target.partition(" ")
    answer = await http.request(
        method,
        path or f"/admin/users/{uuid4()}",
        params={"grant_type": "password"},
        headers=ADMIN,
        content=json.dumps(body).encode(),
    )

    assert answer.status_code < 500


# Secrets.


async def test_an_unknown_e_mail_takes_as_long_as_a_wrong_password(http: httpx.AsyncClient, make: Make) -> None:
    await make()

    async def seconds(email: str) -> float:
        begun = time.perf_counter()
        await sign_in(http, email, "wrong password")
        return time.perf_counter() - begun

    times = [(await seconds("ada@example.org"), await seconds("nobody@example.org")) for _ in range(7)]

    known, unknown = (median(column) for column in zip(*times, strict=True))
    assert 0.5 < unknown / known < 2


async def test_nothing_secret_or_personal_rests_in_clear(http: httpx.AsyncClient, make: Make, database: str) -> None:
    await make(email="canary@example.org", password="canary password", user_metadata={"name": "canary name"})
    session = (await sign_in(http, "canary@example.org", "canary password")).json()
    session = (await refresh(http, session["refresh_token"])).json()

    connection = await asyncpg.connect(database)
    rows = [
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for table in ("users", "sessions", "refresh_tokens")
        for row in await connection.fetch(f"select * from auth_standin.{table}")
        for value in row.values()
    ]
    await connection.close()

    everything = b"\n".join(rows)
    for secret in ("canary", session["refresh_token"], session["access_token"]):
        assert secret.encode() not in everything


async def test_the_key_file_is_made_for_its_owner_only_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "auth.json"

    first, second = load_keys(file), load_keys(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.lookup == second.lookup
    assert [key.kid for key in first.signing] == [key.kid for key in second.signing]
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
async def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "auth.json"
    load_keys(file)
    file.chmod(mode)

    with pytest.raises(KeyFileRefused, match="chmod 600"):
        load_keys(file)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"signing": []}', '{"signing": [{"kid": "a", "pem": "b"}]}'])
async def test_a_broken_key_file_is_refused_and_never_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.touch(0o600)
    file.write_text(text)

    with pytest.raises(KeyFileRefused):
        load_keys(file)
    assert file.read_text() == text


async def test_a_rotated_key_signs_while_the_one_before_still_verifies(
    stand_in: StandIn, http: httpx.AsyncClient, make: Make
) -> None:
    await make()
    before = (await sign_in(http)).json()
    rotate_signing_key(stand_in.settings.key_file)

    async with open_stand_in(stand_in.settings) as restarted, restarted.client() as client:
        after = (await refresh(client, before["refresh_token"])).json()
        keys = (await client.get("/.well-known/jwks.json")).json()["keys"]
        base = restarted.settings.base
        verifier = TokenVerifier(
            client, jwks_url=f"{base}/.well-known/jwks.json", issuer=base, audience="authenticated"
        )
        claims = [await verifier.verify(session["access_token"]) for session in (before, after)]
        still_in = await client.get("/user", headers=bearing(before["access_token"]))

    kids = [jwt.get_unverified_header(session["access_token"])["kid"] for session in (before, after)]
    assert kids[0] != kids[1]
    assert {key["kid"] for key in keys} == set(kids)
    assert claims[0].session_id == claims[1].session_id
    assert still_in.status_code == 200


# The process.


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0:9999",
        "http://192.168.1.5:9999",
        "http://example.org",
        "https://127.0.0.1:9999",
        "http://[::]:9999",
        "http://127.0.0.1.example.org",
        "127.0.0.1:9999",
    ],
)
async def test_an_address_that_is_not_plain_http_on_loopback_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsInvalid, match="loopback"):
        stand_in_settings("postgresql://", tmp_path / "auth.json", url)


async def test_every_missing_setting_is_named() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load_stand_in_settings({"AFTERSCHOOL_SUPABASE_URL": "http://127.0.0.1:9999"})

    assert str(refused.value).splitlines() == [
        "AFTERSCHOOL_DATABASE_URL is not set",
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY is not set",
        "AFTERSCHOOL_SUPABASE_SECRET_KEY is not set",
        "AFTERSCHOOL_AUTH_KEY_FILE is not set",
    ]


async def test_stand_ins_that_start_together_make_one_set_of_tables_and_keys(database: str, tmp_path: Path) -> None:
    async def keys() -> Json:
        async with (
            open_stand_in(stand_in_settings(database, tmp_path / "auth.json")) as opened,
            opened.client() as http,
        ):
            answer: Json = (await http.get("/.well-known/jwks.json")).json()
            return answer

    published = await asyncio.gather(*(keys() for _ in range(4)))

    assert all(one == published[0] for one in published)


async def test_as_a_process_it_serves_the_real_supabase_client_and_stops_cleanly(database: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "src",
        "AFTERSCHOOL_DATABASE_URL": database,
        "AFTERSCHOOL_SUPABASE_URL": url,
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": PUBLISHABLE,
        "AFTERSCHOOL_SUPABASE_SECRET_KEY": SECRET,
        "AFTERSCHOOL_AUTH_KEY_FILE": str(tmp_path / "auth.json"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.embedded.auth"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with httpx.AsyncClient(timeout=10) as http:
            await until_it_answers(process, http, f"{url}/auth/v1/health")
            options = AsyncClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
            admin = await create_async_client(url, SECRET, options)
            await admin.auth.admin.create_user(
                {"email": "ada@example.org", "password": PASSWORD, "email_confirm": True}
            )
            client = await create_async_client(url, PUBLISHABLE, options)
            signed_in = await client.auth.sign_in_with_password({"email": "ada@example.org", "password": PASSWORD})
            with pytest.raises(AuthApiError, match="Invalid login credentials"):
                await client.auth.sign_in_with_password({"email": "ada@example.org", "password": "wrong"})
            found = await client.auth.get_user(signed_in.session.access_token if signed_in.session else "")
            assert found is not None
            assert found.user.email == "ada@example.org"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert output == b""


async def until_it_answers(process: "subprocess.Popen[bytes]", http: httpx.AsyncClient, url: str) -> None:
    while process.poll() is None:
        try:
            await http.get(url)
        except httpx.ConnectError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the stand-in ended")
