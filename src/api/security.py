"""Security: who is asking, from the access token of the request.

A verified token opens a session in Redis, under the token's hash, and the session is what later requests read; for a
cached query the value comes along in the same round trip. With Redis away every request verifies its token itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.requests import Request

from adapters.cache import Session
from adapters.wiring import Backend
from api.backend import backend_of
from api.query import read_path_id
from api.route import add_parameter, add_security
from domain.access import may_follow
from domain.errors import NotAllowed, NotSignedIn, TokenRefused
from domain.user import User

LONGEST_TOKEN = 8192
"""Bytes that an access token may have."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking, in which session, and until when (Unix seconds) the token allows it."""

    user_id: UUID
    session_id: UUID
    expires_at: int


@dataclass(frozen=True, slots=True)
class Glance:
    """Who is asking, about whom, and what Redis holds of the answer."""

    viewer: Viewer
    about: UUID
    value: bytes | None


class SignedIn:
    """A dependency that demands a valid access token; raises `NotSignedIn` and `TokenRefused`."""

    async def __call__(self, request: Request) -> Viewer:
        """Return who sends this request."""
        viewer, _ = await _look(request, _bearer_token(request), None)
        return viewer

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI that the route needs a token."""
        add_security(route, optional=False)


class PerhapsSignedIn:
    """A dependency that reads an access token if there is one; a bad one is refused, not overlooked."""

    async def __call__(self, request: Request) -> Viewer | None:
        """Return who sends this request, or None for a stranger."""
        if "authorization" not in request.headers:
            return None
        viewer, _ = await _look(request, _bearer_token(request), None)
        return viewer

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI that the route takes a token."""
        add_security(route, optional=True)


class Glancing:
    """A dependency that reads token and id of a query, and what is cached for it unless its query string asks for more.

    Raises `NotSignedIn`, `TokenRefused` and, for an id that is none, `RequestInvalid`.
    """

    def __init__(self, parameter: str, key: Callable[[UUID], str]) -> None:
        self._parameter = parameter
        self._key = key

    async def __call__(self, request: Request) -> Glance:
        """Return who sends this request, about whom, and what is cached."""
        token = _bearer_token(request)
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


async def _look(request: Request, token: str, value_key: str | None) -> tuple[Viewer, bytes | None]:
    backend = backend_of(request)
    token_hash = sha256(token.encode()).hexdigest()
    session, value = await backend.cache.read_session_and_value(token_hash, value_key)
    now = time.time()
    if session is None or session.expires_at <= now:
        claims = await backend.verifier.verify(token)
        session = Session(claims.user_id, claims.session_id, claims.expires_at)
        await backend.cache.open_session(token_hash, session, now)
    return Viewer(session.user_id, session.session_id, session.expires_at), value


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
