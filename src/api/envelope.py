"""Envelope: what every request gets, whatever it asked for: safe headers, a count, and an answer even to our faults."""

import time
import traceback

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import UnexpectedFailure, answer_error
from api.limits import headers_of
from api.metrics import RequestMetrics
from api.trace import trace_id_of

logger = structlog.get_logger()

_SAFE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_CLIENT_LEFT = 499
"""The status that proxies note for a request whose sender did not wait for the answer."""


class Envelope:
    """The outermost layer of the application, a plain ASGI one."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_SAFE, *headers_of(scope)]
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except ClientDisconnect:
            status = status or _CLIENT_LEFT
        except Exception as error:  # noqa: BLE001  the outermost layer
            request = Request(scope, receive)
            _log(error, trace_id_of(request))
            if status:
                raise UnexpectedFailure from None
            await answer_error(request, UnexpectedFailure())(scope, receive, send_safely)
        finally:
            operation = getattr(scope.get("route"), "operation", "none")
            self._metrics.count(operation, status, time.perf_counter() - began)


def _log(error: Exception, trace_id: str) -> None:
    """Log the type and place of an error nobody foresaw, but not its message, which may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    logger.error("unexpected_failure", error=type(error).__name__, trace_id=trace_id, places=places)
