"""Signing in over HTTP: credentials become tokens, and what is wrong is answered alike."""

import time
from statistics import median

import httpx

from .people import PASSWORD, Family, Register
from .refusals import essence

PAIRS = 15
ALIKE = 0.005
"""Seconds by which two answers may differ, or a tenth of what they take on a machine that has other work."""


async def test_a_login_gives_tokens_that_open_the_api(client: httpx.AsyncClient, family: Family) -> None:
    answer = await client.post("/auth/login", json={"email": family.child.email, "password": PASSWORD})

    tokens = answer.json()
    profile = await client.get(
        f"/users/{family.child.id}", headers={"authorization": f"Bearer {tokens['access_token']}"}
    )
    assert answer.status_code == 200
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in", "user_id"}
    assert answer.headers["cache-control"] == "no-store"
    assert profile.status_code == 200


async def try_to_sign_in(client: httpx.AsyncClient, email: str) -> tuple[httpx.Response, float]:
    began = time.perf_counter()
    answer = await client.post("/auth/login", json={"email": email, "password": "wrong password"})
    return answer, time.perf_counter() - began


async def test_a_wrong_password_and_an_unknown_email_are_answered_alike(
    client: httpx.AsyncClient, family: Family
) -> None:
    wrong, _ = await try_to_sign_in(client, family.child.email)
    unknown, _ = await try_to_sign_in(client, "nobody@family.example")

    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert wrong.json()["type"] == "/problems/credentials-wrong"
    assert essence(wrong) == essence(unknown)


async def test_a_wrong_password_and_an_unknown_email_take_the_same_time(url: str, family: Family) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def difference() -> float:
            """Return by how much one takes longer than the other, as a part of what is allowed."""
            pairs = [
                [(await try_to_sign_in(client, email))[1] for email in (family.child.email, "nobody@family.example")]
                for _ in range(PAIRS)
            ]
            allowed = max(ALIKE, median(map(min, pairs)) / 10)
            wrong, unknown = (sorted(times)[PAIRS // 4] for times in zip(*pairs, strict=True))  # a busy machine adds
            return float(abs(wrong - unknown) / allowed)

        await try_to_sign_in(client, family.child.email)  # what is done for the first time takes longer

        assert await difference() <= 1 or await difference() <= 1


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
