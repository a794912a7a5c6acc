"""Event stream: server-sent events on a connection, with heartbeats, until the stream is over or its reader is.

A reader that takes nothing is cut: there is no queue that could grow for it, only what the socket holds. See the HTML
standard, "Server-sent events".
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from adapters.stopping import end
from api.live import Stream, Streams
from api.protocol import HANG_UP

HEADERS: Mapping[str, str] = {"content-type": EventSourceResponse.media_type, "x-accel-buffering": "no"}
RETRY = 2000
"""Milliseconds after which a browser comes back."""
LAST_WORDS = 0.5
"""Seconds that a reader has to take the end of its stream."""
LEFT = "reader-left"
TOO_SLOW = "reader-too-slow"

_HEARTBEAT = format_sse_event(comment="heartbeat")

Say = Callable[[bytes], Awaitable[None]]
"""Sends some events; returns once the connection has room for more."""


class Ended(BaseModel):
    """The stream is over, and why: the name of a problem, or that the server is about to stop."""

    reason: str


class EventStream(JSONResponse):
    """An answer that goes on for as long as its stream does; `tell` says what is in it, and all data is JSON."""

    media_type = EventSourceResponse.media_type

    def __init__(self, streams: Streams, stream: Stream, tell: Callable[[Say], Coroutine[None, None, None]]) -> None:
        self.status_code = 200
        self.init_headers(HEADERS)
        self._streams = streams
        self._stream = stream
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream to its end."""
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await self._deliver(send, start)
            say = partial(self._say, send)
            await self._run(self._tell(say), self._beat(say), self._listen(receive))
            reason = self._stream.ended.result()
            if reason == TOO_SLOW:
                await _hang_up(scope, receive)
            elif reason != LEFT:
                await _take_leave(reason, scope, receive, send)
        finally:
            self._streams.close(self._stream)

    async def _run(self, *parts: Coroutine[None, None, None]) -> None:
        """Do all of these until the stream is over; a failure of one of them is the stream's."""
        tasks = {asyncio.create_task(part) for part in parts}
        waiting: set[asyncio.Future[Any]] = {*tasks, self._stream.ended}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            await end(*tasks)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _say(self, send: Send, block: bytes) -> None:
        await self._deliver(send, {"type": "http.response.body", "body": block, "more_body": True})

    async def _deliver(self, send: Send, message: Message) -> None:
        """Send, and end the stream of a reader that takes nothing."""
        try:
            async with asyncio.timeout(self._streams.pace.patience):
                await send(message)
        except TimeoutError:
            self._stream.end(TOO_SLOW)

    async def _beat(self, say: Say) -> None:
        while not self._stream.ended.done():
            await asyncio.sleep(self._streams.pace.heartbeat)
            await say(_HEARTBEAT)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.end(LEFT)


async def _take_leave(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    words = format_sse_event(event="end", data_str=Ended(reason=reason).model_dump_json(), retry=RETRY)
    try:
        async with asyncio.timeout(LAST_WORDS):
            await send({"type": "http.response.body", "body": words, "more_body": False})
    except TimeoutError:
        await _hang_up(scope, receive)


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Drop a connection whose reader takes nothing, with all that waits for it."""
    if hang_up := scope.get("extensions", {}).get(HANG_UP):
        hang_up["call"]()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                while (await receive())["type"] != "http.disconnect":
                    pass
