"""Cors: pages of the listed origins may call; a refusal is a problem document like any other."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from api.errors import OriginNotAllowed, answer_error

_SENT = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID"),
    "Traceparent",
)
_SHOWN = (
    *("ETag", "Event-Position", "Stale-By", "Retry-After", "Location", "Content-Disposition"),
    *("RateLimit", "RateLimit-Policy"),
)


class Cors(CORSMiddleware):
    """Starlette's middleware with our methods and headers."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PATCH", "DELETE"),
            allow_headers=_SENT,
            expose_headers=_SHOWN,
            max_age=600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks before it calls."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:  # noqa: PLR2004
            return response
        request = Request({"type": "http", "headers": request_headers.raw})
        refusal = answer_error(request, OriginNotAllowed())
        refusal.headers["vary"] = "Origin"
        return refusal
