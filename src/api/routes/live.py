"""Live: a student, and those who may follow them, see what happens as it happens."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends
from fastapi.routing import APIRoute
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from adapters.wiring import Backend
from api.backend import backend
from api.errors import FieldError, OriginNotAllowed, RequestInvalid
from api.event_stream import Ended, EventStream
from api.following import LiveEvent, Started, follow
from api.live import Streams
from api.models import Model
from api.query import LAST_POSITION, Query, read_path_id
from api.route import Route, add_parameter
from api.security import SignedIn, check_may_follow
from domain.access import Rule
from domain.errors import PositionAhead, TokenRefused

RECHECK = 2.0
"""Seconds for which a reader is admitted without being asked again."""

_SEEN = {"type": "integer", "minimum": 0, "maximum": LAST_POSITION}
_DIGITS = len(str(LAST_POSITION))


def read_seen(text: object) -> int:
    """Return the position up to which everything is known: of an event, or 0 for nothing."""
    is_number = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _DIGITS
    if is_number and int(cast("str", text)) <= LAST_POSITION:
        return int(cast("str", text))
    raise PydanticCustomError("position", "should be a position of the log, or 0 for its beginning")


Seen = Annotated[int, PlainValidator(read_seen), WithJsonSchema(_SEEN)]


class LiveQuery(Model):
    """From where on: without it, from now on."""

    after: Seen | None = None


class Admission:
    """A reader's leave to follow one student, which lasts no longer than their token and their link to the child."""

    holds: float
    """For how many seconds, when it was last renewed."""

    def __init__(self, request: Request, account: UUID, student_id: UUID) -> None:
        self.account = account
        self.student_id = student_id
        self._request = request
        self._was_admitted = False

    async def renew(self) -> float:
        """Return for how many seconds it holds now; raises `NotSignedIn`, `TokenRefused` and `NotAllowed`."""
        viewer = await SignedIn()(self._request)
        left = viewer.expires_at - time.time()
        if left <= 0:
            raise TokenRefused
        await check_may_follow(self._request, viewer, self.student_id, fresh=True, again=self._was_admitted)
        self._was_admitted = True
        self.holds = min(left, RECHECK)
        return self.holds


class Admitting:
    """A dependency that reads token, origin and id of whoever wants to follow a student, and lets in who may.

    Raises `NotSignedIn`, `TokenRefused`, `QuotaExceeded`, `OriginNotAllowed`, `NotAllowed` and, for an id that is
    none, `RequestInvalid`.
    """

    admits = Rule.FOLLOWER

    async def __call__(self, request: Request) -> Admission:
        """Return the leave, which has to be renewed while the stream is open."""
        viewer = await SignedIn()(request)
        _check_origin(request)
        admission = Admission(request, viewer.user_id, read_path_id(request, "student_id"))
        await admission.renew()
        return admission

    def document(self, route: APIRoute) -> None:
        """Show in OpenAPI the id in the path."""
        schema = {"type": "string", "format": "uuid"}
        add_parameter(route, {"name": "student_id", "in": "path", "required": True, "schema": schema})


class LastEventId:
    """A dependency that reads `Last-Event-ID`; raises `RequestInvalid` for one that is no position."""

    async def __call__(self, request: Request) -> int | None:
        """Return the position that the reader saw last, None where it names none."""
        values = request.headers.getlist("last-event-id")
        try:
            return read_seen(values[0] if len(values) == 1 else values) if values else None
        except PydanticCustomError as error:
            raise RequestInvalid(FieldError("Last-Event-ID", error.type, error.message())) from None

    def document(self, route: APIRoute) -> None:
        """Show the header among the route's parameters in OpenAPI."""
        words = "The `id` of the event that was seen last; what came after it is told first. It outranks `after`."
        add_parameter(route, {"name": "Last-Event-ID", "in": "header", "description": words, "schema": _SEEN})


async def streams(request: Request) -> Streams:
    """Bring the streams that are open."""
    return cast("Streams", request.app.state.streams)


async def follow_student(
    admission: Annotated[Admission, Depends(Admitting())],
    last_event_id: Annotated[int | None, Depends(LastEventId())],
    asked: Annotated[LiveQuery, Depends(Query(LiveQuery))],
    streams: Annotated[Streams, Depends(streams)],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Follow what happens to a student, as server-sent events straight from the log, each once and in order.

    The first event, `start`, tells the position from which on everything follows: that of `Last-Event-ID` or `after`,
    else the log's last. Every further one bears its type as `event` and its position as `id`; come back with it as
    `Last-Event-ID` and nothing is missed. `end` tells why the stream is over; comments keep the connection open.
    """
    head = await backend.reader.head()
    after = next((seen for seen in (last_event_id, asked.after) if seen is not None), head)
    if after > head:
        raise PositionAhead
    stream = streams.open(admission.account, admission.student_id)
    tell = partial(
        follow,
        reader=backend.seen_by(admission.account).reader,
        stream=stream,
        metrics=streams.metrics,
        after=after,
        admit=admission.renew,
        admitted=admission.holds,
    )
    return EventStream(streams, stream, tell)


def _check_origin(request: Request) -> None:
    """Raise `OriginNotAllowed` for a page that is neither ours nor listed: what it may not read is not begun."""
    origin = request.headers.get("origin")
    allowed: Sequence[str] = request.app.state.settings.cors_origins
    if origin is None or origin in allowed or "*" in allowed:
        return
    if origin.partition("://")[2] != request.headers.get("host"):
        raise OriginNotAllowed


ROUTES = (
    Route(
        "/live/{student_id}",
        follow_student,
        method="GET",
        operation="FollowStudent",
        access=Rule.FOLLOWER,
        status_code=200,
        response_class=EventStream,
        response_model=LiveEvent | Started | Ended,
        response_description="Server-sent events; the `data` of each is one line of JSON of this schema.",
        tags=["Progress"],
    ),
)
