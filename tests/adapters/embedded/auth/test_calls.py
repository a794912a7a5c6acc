"""The stand-in's calls: what Supabase Auth's contract promises, member by member."""

import time
from dataclasses import replace
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from adapters.embedded.auth.app import StandIn, open_stand_in
from tests.adapters.embedded.auth.calls import ADMIN, PASSWORD, USER, Make, bearing, refresh, refusal, sign_in


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


async def test_sign_up_opens_an_account_only_where_it_is_allowed(stand_in: StandIn) -> None:
    async with open_stand_in(replace(stand_in.settings, sign_up=True)) as opened, opened.client() as http:
        body = {"email": "ada@example.org", "password": PASSWORD, "data": {"theme": "dark"}}

        first = await http.post("/signup", headers=USER, json=body)
        second = await http.post("/signup", headers=USER, json=body)

    assert first.status_code == 200
    assert first.json()["user"]["user_metadata"] == {"theme": "dark"}
    assert refusal(second) == (422, "user_already_exists")
