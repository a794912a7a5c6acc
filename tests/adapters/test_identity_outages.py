"""Identity while its provider is in trouble: never mistaken for the caller's fault."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.embedded.loopback import free_port
from adapters.identity import SupabaseIdentity
from commands.ports import Account
from domain.errors import IdentityUnavailable
from tests.adapters.conftest import PUBLISHABLE, SECRET

PASSWORD = "correct horse"


def a_provider(*answers: Response) -> tuple[Starlette, list[Request]]:
    """Return a provider that gives these answers, one after another, and the requests it got."""
    waiting, got = list(answers), list[Request]()

    async def answer(request: Request) -> Response:
        got.append(request)
        return waiting.pop(0)

    methods = ["GET", "POST", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)]), got


async def every_call(identity: SupabaseIdentity) -> AsyncIterator[str]:
    """Tell what each call raises."""
    for call in (
        identity.login("ada@example.org", PASSWORD),
        identity.refresh("token"),
        identity.create(Account(user_id=uuid4(), email="ada@example.org"), PASSWORD),
        identity.delete(uuid4()),
    ):
        try:
            await call
        except Exception as error:  # noqa: BLE001  the error is what is asked for
            yield type(error).__name__


def an_identity(http: httpx.AsyncClient, url: str = "http://127.0.0.1:1", deadline: float = 10.0) -> SupabaseIdentity:
    return SupabaseIdentity(http, url=url, publishable_key=PUBLISHABLE, secret_key=SECRET, deadline=deadline)


async def test_a_provider_that_nobody_answers_for_is_unavailable() -> None:
    async with httpx.AsyncClient(timeout=5) as http:
        identity = an_identity(http, f"http://127.0.0.1:{free_port()}")

        assert [name async for name in every_call(identity)] == ["IdentityUnavailable"] * 4


async def test_a_provider_that_never_answers_is_unavailable_at_the_deadline() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx.AsyncClient(timeout=60) as http:
        names = [name async for name in every_call(an_identity(http, url, deadline=0.1))]

    assert names == ["IdentityUnavailable"] * 4


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=502),
        Response(b"<html>bad gateway</html>", 503, media_type="text/html"),
        JSONResponse({"code": 500, "error_code": "unexpected_failure", "msg": "Unexpected failure"}, 500),
        JSONResponse({"code": 429, "error_code": "over_request_rate_limit", "msg": "slow down"}, 429),
        JSONResponse({"message": "Invalid API key"}, 401),
        JSONResponse({"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT"}, 403),
        Response(b"<html>blocked</html>", 403, media_type="text/html"),
        Response(b"not json", 400),
    ],
)
async def test_whatever_is_not_the_callers_fault_is_unavailability(answer: Response) -> None:
    app, _ = a_provider(*[answer] * 4)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        names = [name async for name in every_call(an_identity(http))]

    assert names == ["IdentityUnavailable"] * 4


@pytest.mark.parametrize("answer", [Response(b"<html>hello</html>"), JSONResponse({}), JSONResponse([])])
async def test_an_answer_of_another_shape_is_unavailability(answer: Response) -> None:
    app, _ = a_provider(*[answer] * 3)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        identity = an_identity(http)

        with pytest.raises(IdentityUnavailable):
            await identity.login("ada@example.org", PASSWORD)
        with pytest.raises(IdentityUnavailable):
            await identity.refresh("token")
        with pytest.raises(IdentityUnavailable):
            await identity.create(Account(user_id=uuid4(), email="ada@example.org"), PASSWORD)


async def test_an_account_that_got_another_id_is_removed_again() -> None:
    stranger = str(uuid4())
    user = {"id": stranger, "aud": "", "app_metadata": {}, "user_metadata": {}, "created_at": "2026-01-01T00:00:00Z"}
    app, got = a_provider(JSONResponse(user), JSONResponse({}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        with pytest.raises(IdentityUnavailable):
            await an_identity(http).create(Account(user_id=uuid4(), email="ada@example.org"), PASSWORD)

    assert [(request.method, request.url.path) for request in got] == [
        ("POST", "/auth/v1/admin/users"),
        ("DELETE", f"/auth/v1/admin/users/{stranger}"),
    ]
