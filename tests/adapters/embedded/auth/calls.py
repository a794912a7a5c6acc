"""Calls: how the tests speak to the stand-in, without its client."""

from collections.abc import Awaitable, Callable

import asyncpg
import httpx

from tests.adapters.conftest import PUBLISHABLE, SECRET

PASSWORD = "correct horse"
ADMIN = {"apikey": SECRET, "authorization": f"Bearer {SECRET}"}
USER = {"apikey": PUBLISHABLE, "authorization": f"Bearer {PUBLISHABLE}"}
VERSION = {"x-supabase-api-version": "2024-01-01"}

Json = dict[str, object]
Make = Callable[..., Awaitable[Json]]


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
