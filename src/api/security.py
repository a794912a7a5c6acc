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

from starlette.requests import Request

from adapters.sessions import Session
from api.backend import backend_of
from api.limits import charge_address, rate_limits_of
from api.query import PathId
from api.route import operation_of
from domain.access import Rule, may_follow
from domain.errors import NotAllowed, NotSignedIn, TokenRefused
from domain.user import User

REMEMBERED = 2.0
"""Seconds for which a permission counts that another process may have ended meanwhile."""
LONGEST_TOKEN = 8192
"""Bytes that an access token may have."""


Viewer = Session
"""Who is asking, in which session, and until when (Unix seconds) the token allows it."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Who is asking, about whom, and what Redis holds of the answer."""

    viewer: Viewer
    about: UUID
    value: bytes | None


class SignedIn:
    """A dependency that demands a valid access token; raises `NotSignedIn`, `TokenRefused` and `QuotaExceeded`."""

    admits = Rule.SIGNED_IN

    async def __call__(self, request: Request) -> Viewer:
        """Return who sends this request."""
        viewer, _ = await _look(request, await _token(request))
        return viewer


class PerhapsSignedIn:
    """A dependency that reads an access token if there is one; a bad one is refused, not overlooked."""

    admits = Rule.ANYONE

    async def __call__(self, request: Request) -> Viewer | None:
        """Return who sends this request, or None for a stranger."""
        if "authorization" not in request.headers:
            await charge_address(request)
            return None
        viewer, _ = await _look(request, await _token(request))
        return viewer


class Following:
    """A dependency that reads token and id of a query, and lets in the person of that id and who may follow them.

    With `cached_as` it brings along what is cached under that key, unless the query string asks for more; `fresh` asks
    the log even for a permission. Raises `NotSignedIn`, `TokenRefused`, `QuotaExceeded`, `NotAllowed`,
    `ReadsUnrecorded` and, for an id that is none, `RequestInvalid`.
    """

    admits = Rule.FOLLOWER

    def __init__(self, parameter: str, *, cached_as: Callable[[UUID], str] | None = None, fresh: bool = False) -> None:
        self._id = PathId(parameter)
        self.document = self._id.document
        self._cached_as = cached_as
        self._fresh = fresh

    async def __call__(self, request: Request) -> Followed:
        """Return who sends this request, about whom, and what is cached."""
        token = await _token(request)
        about = await self._id(request)
        value_key = self._cached_as(about) if self._cached_as and not request.scope["query_string"] else None
        viewer, value = await _look(request, token, value_key)
        await check_may_follow(request, viewer, about, fresh=self._fresh)
        return Followed(viewer, about, value)


async def check_may_follow(
    request: Request, viewer: Viewer, student_id: UUID, *, fresh: bool = False, again: bool = False
) -> None:
    """Raise `NotAllowed` unless the viewer is this student or a guardian; unknown ids are refused alike.

    Who may and is not the student is noted in the read ledger; raises `ReadsUnrecorded` where that can't be done.
    `again` goes on with a read that was noted when it began.

    A refusal is never decided on remembered state: the link may have been made by another process. `fresh` asks the log
    for a permission, too.
    """
    if viewer.user_id == student_id:
        return
    backend = backend_of(request)
    user, from_memory = await backend.log.aggregates.get(User, viewer.user_id, fresh=fresh, max_age=REMEMBERED)
    if from_memory and not (user and may_follow(user, student_id)):
        user, _ = await backend.log.aggregates.get(User, viewer.user_id, fresh=True)
    if user is None or not may_follow(user, student_id):
        raise NotAllowed
    if not again:
        backend.read_ledger.note(
            actor=user.id, role="guardian", student=student_id, what=operation_of(request), why="guardianship"
        )


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
