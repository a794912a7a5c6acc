"""Protocol: HTTP on a socket with an end to everything: bytes of headers, seconds to send them, seconds for a body.

uvicorn waits for ever for the next byte of a request; this protocol does not. What it refuses it answers with a
problem document wherever an answer is still possible.
"""

import asyncio
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import HeadersTooLarge, RequestMalformed, RequestTooSlow, TooManyConnections, render
from domain.errors import AfterschoolError

HANG_UP = "hang-up"
"""Extension of a request's scope: its `call` drops the connection and whatever the other side has not taken yet."""

_SEPARATORS = len(": \r\n")
_LINGER = 1.0
"""Seconds for which a refused connection is still listened to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost."""

    header_bytes: int
    header_seconds: float
    """From the first byte of a request, or from the connection, to the end of its headers."""
    body_seconds: float
    """From there to the end of the body."""
    connections: int
    """Sockets that one process holds at once."""


def limited(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the protocol with these limits, for uvicorn to make one of for each connection."""
    return type("LimitedProtocol", (_LimitedProtocol,), {"limits": limits})


class _LimitedProtocol(HttpToolsProtocol):
    limits: ClassVar[Limits]

    _timer: asyncio.TimerHandle | None = None
    _timed: str | None = None
    """What the running timer waits for."""
    _part: str | None = None
    """What of the current request is still to come: "headers", "body" or nothing."""
    _received = 0
    """Bytes since the last request was complete."""
    _refusal: AfterschoolError | None = None
    _hung_up = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(TooManyConnections())
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._hung_up:
            return
        if self._part != "body":
            self._received += len(data)
        super().data_received(data)
        if self._part == "headers" and self._received > self.limits.header_bytes:
            self._refuse(HeadersTooLarge())
        self._watch()

    def on_message_begin(self) -> None:
        self._part = "headers"
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}}

    def on_headers_complete(self) -> None:
        if self._received > self.limits.header_bytes and self._header_bytes() > self.limits.header_bytes:
            self._refusal = HeadersTooLarge()
            raise self._refusal
        super().on_headers_complete()
        self._part = "body"

    def on_message_complete(self) -> None:
        self._part, self._received = None, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        del msg  # uvicorn's words
        self._refuse(self._refusal or RequestMalformed())

    def _watch(self) -> None:
        """Keep a timer running while the other side owes us bytes, and none otherwise."""
        if self._hung_up:
            return
        owed = self._part or (None if self._is_busy() or self.timeout_keep_alive_task else "headers")
        if owed == self._timed:
            return
        self._stop_timer()
        if owed and not self.transport.is_closing():
            seconds = self.limits.body_seconds if owed == "body" else self.limits.header_seconds
            self._timer = self.loop.call_later(seconds, self._too_slow)
            self._timed = owed

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._timed = None

    def _header_bytes(self) -> int:
        """Count what of the bytes received was headers: a body may have come with them."""
        return len(self.url) + sum(len(name) + len(value) + _SEPARATORS for name, value in self.headers)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _too_slow(self) -> None:
        if self._part:
            self._refuse(RequestTooSlow())
        else:
            self.transport.close()

    def _refuse(self, error: AfterschoolError) -> None:
        """Answer with a problem and hang up; where an answer has begun or was given already, only hang up."""
        if self._hung_up or self.transport.is_closing():
            return
        self._hung_up = True
        if self._is_busy():
            answered = self.cycle.response_started
            self.cycle.disconnected = True  # the application must not write behind our answer
            self.cycle.message_event.set()
        else:
            answered = self._part == "body"
        if answered:
            self.transport.close()
            return
        self.transport.write(_answer(error))
        self._linger()

    def _linger(self) -> None:
        """Let the other side finish its sentence: to hang up in the middle of it would destroy our answer."""
        self._stop_timer()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER, self.transport.close)


def _answer(error: AfterschoolError) -> bytes:
    status, headers, body = render(error, secrets.token_hex(16))
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "cache-control: no-store", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
