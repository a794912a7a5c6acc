"""Signing in over HTTP: credentials become tokens, and what is wrong is answered alike."""

import httpx

from .people import PASSWORD, Family, Register


async def test_a_login_gives_tokens_that_open_the_api(client: httpx.AsyncClient, family: Family) -> None:
    answer = await client.post("/auth/login", json={"email": family.child.email, "password": PASSWORD})

    tokens = answer.json()
    profile = await client.get(
        f"/users/{family.child.id}", headers={"authorization": f"Bearer {tokens['access_token']}"}
    )
    assert answer.status_code == 200
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.headers["cache-control"] == "no-store"
    assert profile.status_code == 200


async def test_a_wrong_password_and_an_unknown_email_are_answered_alike(
    client: httpx.AsyncClient, family: Family
) -> None:
    wrong = await client.post("/auth/login", json={"email": family.child.email, "password": "wrong"})
    unknown = await client.post("/auth/login", json={"email": "nobody@family.example", "password": PASSWORD})

    for answer in (wrong, unknown):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "/problems/credentials-wrong"
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_a_refresh_token_gives_the_next_pair(client: httpx.AsyncClient, register: Register) -> None:
    person = await register("student")

    answer = await client.post("/auth/refresh", json={"refresh_token": person.refresh_token})

    tokens = answer.json()
    profile = await client.get(f"/users/{person.id}", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status_code == 200
    assert tokens["refresh_token"] != person.refresh_token
    assert profile.status_code == 200


async def test_an_unknown_refresh_token_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/auth/refresh", json={"refresh_token": "unknown"})

    assert answer.json()["type"] == "/problems/credentials-wrong"
