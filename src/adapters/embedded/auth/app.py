"""App: the stand-in put together, on a pool of its own; in this process or, by `python -m`, in one of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files

import asyncpg
import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.embedded.auth.access_tokens import AccessTokens
from adapters.embedded.auth.admin_calls import AdminCalls
from adapters.embedded.auth.gate import Gate
from adapters.embedded.auth.key_file import load_keys
from adapters.embedded.auth.passwords import Passwords
from adapters.embedded.auth.public_calls import PublicCalls
from adapters.embedded.auth.refusals import OAuthRefusal, Refusal, render, render_oauth
from adapters.embedded.auth.sessions import Sessions
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.auth.user_calls import UserCalls
from adapters.embedded.auth.users import Users
from eventstore.connections import LOST

_LOCK = 7105
"""Advisory lock under which two processes that start together make the tables once."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in that answers as long as its context is open."""

    app: Starlette
    settings: StandInSettings

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client whose every request ends in this stand-in, without a port."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.settings.base)


@asynccontextmanager
async def open_stand_in(settings: StandInSettings) -> AsyncIterator[StandIn]:
    """Make the tables and keys if they are missing, and answer until the context ends.

    Raises `KeyFileRefused`, and what `asyncpg` says when the database is away.
    """
    keys = load_keys(settings.key_file)
    pool = await asyncpg.create_pool(
        settings.database_url,
        min_size=1,
        max_size=8,
        timeout=5,
        command_timeout=10,
        server_settings={"application_name": "afterschool-auth", "jit": "off"},
    )
    passwords = Passwords(queue=settings.password_queue)
    try:
        await _make_tables(pool)
        sessions = Sessions(pool, keys, lock_wait=settings.lock_wait, reuse_seconds=settings.reuse_seconds)
        await sessions.forget_outlived()
        gate = Gate(settings, Users(pool, keys), sessions, AccessTokens(keys.signing, settings.base))
        yield StandIn(_build(gate, passwords), settings)
    finally:
        passwords.close()
        await pool.close()


async def _make_tables(pool: asyncpg.Pool) -> None:
    schema = files("adapters.embedded.auth").joinpath("schema.sql").read_text(encoding="utf-8")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(schema)


def _build(gate: Gate, passwords: Passwords) -> Starlette:
    public = PublicCalls(gate.users, gate.access_tokens)
    users = UserCalls(gate, passwords, gate.settings.sign_up)
    admin = AdminCalls(gate, passwords)
    return Starlette(
        routes=[
            _route("POST", "/token", users.token),
            _route("POST", "/signup", users.sign_up),
            _route("GET", "/user", users.user),
            _route("POST", "/logout", users.logout),
            _route("POST", "/admin/users", admin.create),
            _route("GET", "/admin/users", admin.list),
            _route("GET", "/admin/users/{id}", admin.show),
            _route("PUT", "/admin/users/{id}", admin.change),
            _route("DELETE", "/admin/users/{id}", admin.delete),
            _route("GET", "/.well-known/jwks.json", public.jwks),
            _route("GET", "/health", public.health),
        ],
        exception_handlers={
            Refusal: _refuse,
            OAuthRefusal: _refuse,
            HTTPException: _unknown_call,
            ClientDisconnect: _nobody_listens,
            Exception: _unexpected,
            **dict.fromkeys(LOST, _away),
        },
    )


def _route(method: str, path: str, call: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(f"/auth/v1{path}", call, methods=[method])


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, OAuthRefusal):
        return render_oauth(error)
    if not isinstance(error, Refusal):
        raise error
    return render(request, error)


async def _unknown_call(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return render(request, Refusal(status, "validation_failed", "There is no such call"))


async def _nobody_listens(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


async def _away(request: Request, _: Exception) -> Response:
    return render(request, Refusal(503, "unexpected_failure", "The database cannot be reached"))


async def _unexpected(request: Request, _: Exception) -> Response:
    return render(request, Refusal(500, "unexpected_failure", "Unexpected failure"))
