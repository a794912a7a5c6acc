"""Wire: a small application behind our protocol, and callers who send it what they like, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from adapters.embedded.loopback import free_port
from api.protocol import Limits, limited

HEAD = b"GET /%s HTTP/1.1\r\nhost: a\r\n%s\r\n"
"""A request's head, with room for the rest of an address and for more headers."""
PATIENT = Limits(header_bytes=4096, header_seconds=30, body_seconds=30, connections=1000)


class Server:
    """An application behind our protocol: it echoes a body's length, notes what it saw, and can hang or stream."""

    def __init__(self) -> None:
        self.port = free_port()
        self.seen: list[str] = []
        self.go_on = asyncio.Event()

    async def length(self, request: Request) -> JSONResponse:
        try:
            body = await request.body()
        except ClientDisconnect:
            self.seen.append("gone")
            raise
        self.seen.append("served")
        return JSONResponse({"length": len(body)})

    async def hang(self, _request: Request) -> JSONResponse:
        await self.go_on.wait()
        return JSONResponse({})

    async def unread(self, _request: Request) -> JSONResponse:
        return JSONResponse({"read": False})

    async def stream(self, request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            async for _ in request.stream():
                pass
            yield b"last"

        return StreamingResponse(parts())

    @property
    def app(self) -> Starlette:
        paths = {"/": self.length, "/hang": self.hang, "/unread": self.unread, "/stream": self.stream}
        return Starlette(routes=[Route(path, call, methods=["GET", "POST"]) for path, call in paths.items()])


@asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[Server]:
    served = Server()
    config = uvicorn.Config(
        served.app,
        port=served.port,
        http=limited(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=30,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield served
    finally:
        served.go_on.set()
        server.should_exit = True
        await running


class Caller:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Return what comes until the other side hangs up."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


@asynccontextmanager
async def call(server: Server) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def problem(answer: tuple[int, dict[str, str], bytes]) -> str:
    """Return the name of an answer's problem, whose form is checked on the way."""
    status, headers, body = answer
    document = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert document["status"] == status
    name: str = document["type"]
    return name.removeprefix("/problems/")
