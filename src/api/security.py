"""Security: who is asking, from the access token of the request.

A verified token opens a session in Postgres, which is remembered in Redis under the token's hash; that is what later
requests read, and the same round trip charges the request to its address and brings the value of a cached query. What
Redis remembers counts unless the session was revoked. With Redis away every request verifies its token and asks
Postgres.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.requests import Request

from adapters.sessions import Session
from adapters.wiring import Backend
from api.backend import backend_of
from api.limits import charge_address, rate_limits_of
from api.query import read_path_id
from api.route import add_parameter, add_security
from domain.access import may_follow
from domain.errors import NotAllowed, NotSignedIn, TokenRefused
from domain.user import User

LONGEST_TOKEN = 8192
"""Bytes that an access token may have."""


Viewer = Session
"""Who is asking, in which session, and until when (Unix seconds) the token allows it."""


@dataclass(frozen=True, slots=True)
class Glance:
    """Who is asking, about whom, and what Redis holds of the answer."""

    viewer: Viewer
    about: UUID
    value: bytes | None


class SignedIn:
    """A dependency that demands a valid access token; raises `NotSignedIn`, `TokenRefused` and `QuotaExceeded`."""

    charges = True

    async def __call__(self, request: Request) -> Viewer:
        """Return who sends this request."""
        viewer, _ = await _look(request, await _token(request))
        return viewer

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI that the route needs a token."""
        add_security(route, optional=False)


class PerhapsSignedIn:
    """A dependency that reads an access token if there is one; a bad one is refused, not overlooked."""

    charges = True

    async def __call__(self, request: Request) -> Viewer | None:
        """Return who sends this request, or None for a stranger."""
        if "authorization" not in request.headers:
            await charge_address(request)
            return None
        viewer, _ = await _look(request, await _token(request))
        return viewer

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI that the route takes a token."""
        add_security(route, optional=True)


class Glancing:
    """A dependency that reads token and id of a query, and what is cached for it unless its query string asks for more.

    Raises `NotSignedIn`, `TokenRefused`, `QuotaExceeded` and, for an id that is none, `RequestInvalid`.
    """

    charges = True

    def __init__(self, parameter: str, key: Callable[[UUID], str]) -> None:
        self._parameter = parameter
        self._key = key

    async def __call__(self, request: Request) -> Glance:
        """Return who sends this request, about whom, and what is cached."""
        token = await _token(request)
        about = read_path_id(request, self._parameter)
        viewer, value = await _look(request, token, None if request.scope["query_string"] else self._key(about))
        return Glance(viewer, about, value)

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI the id in the path, and that the route needs a token."""
        schema = {"type": "string", "format": "uuid"}
        add_parameter(route, {"name": self._parameter, "in": "path", "required": True, "schema": schema})
        add_security(route, optional=False)


async def check_may_follow(backend: Backend, viewer: Viewer, student_id: UUID, *, fresh: bool = False) -> None:
    """Raise `NotAllowed` unless the viewer is this student or a guardian; unknown ids are refused alike.

    A refusal is never decided on remembered state: the link may have been made by another process. `fresh` asks the log
    for a permission, too.
    """
    if viewer.user_id == student_id:
        return
    user, from_memory = await backend.log.aggregates.get(User, viewer.user_id, fresh=fresh)
    if from_memory and not (user and may_follow(user, student_id)):
        user, _ = await backend.log.aggregates.get(User, viewer.user_id, fresh=True)
    if user is None or not may_follow(user, student_id):
        raise NotAllowed


async def access_token(request: Request) -> str:
    """Bring the token of a request, as a dependency of a route; raises `NotSignedIn` and `TokenRefused`."""
    return _bearer_token(request)


def token_hash_of(token: str) -> str:
    """Return what stands for a token wherever it is kept."""
    return sha256(token.encode()).hexdigest()


async def _token(request: Request) -> str:
    """Return the access token; a request without one is charged to its address all the same."""
    try:
        return _bearer_token(request)
    except NotSignedIn:
        await charge_address(request)
        raise


async def _look(request: Request, token: str, value_key: str | None = None) -> tuple[Viewer, bytes | None]:
    backend, limits = backend_of(request), rate_limits_of(request)
    token_hash = token_hash_of(token)
    charge = limits.of_address(request)
    session, value, allowance = await backend.cache.look(token_hash, value_key, charge)
    if charge:
        limits.settle(request, charge, allowance)
    now = time.time()
    if session is None or session.expires_at <= now or not backend.revocations.allow(session):
        session = await backend.sessions.open(await backend.verifier.verify(token))
        await backend.cache.open_session(token_hash, session, now)
    return session, value


def _bearer_token(request: Request) -> str:
    headers: list[bytes] = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if not headers:
        raise NotSignedIn
    scheme, _, token = headers[0].partition(b" ")
    if len(headers) == 1 and scheme.lower() != b"bearer":
        raise NotSignedIn
    if len(headers) > 1 or not token.isascii() or len(token) > LONGEST_TOKEN:
        raise TokenRefused
    return token.decode()
