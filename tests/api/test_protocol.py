"""Protocol: real sockets that are slow, large, broken or many, and a normal caller beside them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from adapters.embedded.loopback import free_port
from api.protocol import Limits, limited

SHORT = 0.15
"""Seconds of a deadline that tests wait for."""
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


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    """Return a server that waits as long as any of these tests takes."""
    async with serving(PATIENT) as server:
        yield server


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


async def test_requests_are_served_one_after_the_other_on_one_connection(server: Server) -> None:
    async with call(server) as caller:
        for n in range(3):
            await caller.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % n + b"x" * n)

            status, _, body = await caller.answer()

            assert (status, body) == (200, b'{"length":%d}' % n)


async def test_pipelined_requests_are_all_served(server: Server) -> None:
    async with call(server) as caller:
        await caller.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 5)

        assert [(await caller.answer())[0] for _ in range(5)] == [200] * 5


async def test_headers_that_never_end_are_given_up() -> None:
    async with serving(Limits(header_bytes=4096, header_seconds=SHORT, body_seconds=30, connections=9)) as server:
        async with call(server) as caller:
            await caller.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-canary: ")

            assert problem(await caller.answer()) == "request-too-slow"
            assert await caller.rest() == b""
        assert server.seen == []


async def test_a_byte_now_and_then_does_not_put_the_end_off() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=SHORT, body_seconds=30, connections=9)) as server,
        call(server) as caller,
    ):
        await caller.send(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                await caller.send(b"a")
                await asyncio.sleep(SHORT / 10)

        dripping = asyncio.create_task(drip())
        answer = await asyncio.wait_for(caller.answer(), 10 * SHORT)
        dripping.cancel()

        assert problem(answer) == "request-too-slow"


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=SHORT, body_seconds=30, connections=9)) as server,
        call(server) as caller,
    ):
        assert await asyncio.wait_for(caller.rest(), 10 * SHORT) == b""


async def test_empty_lines_between_requests_do_not_keep_a_connection() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=SHORT, body_seconds=30, connections=9)) as server,
        call(server) as caller,
    ):
        await caller.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await caller.answer()

        await caller.send(b"\r\n")

        assert await asyncio.wait_for(caller.rest(), 10 * SHORT) == b""


async def test_a_body_that_never_ends_is_given_up() -> None:
    async with serving(Limits(header_bytes=4096, header_seconds=30, body_seconds=SHORT, connections=9)) as server:
        async with call(server) as caller:
            await caller.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf")

            assert problem(await caller.answer()) == "request-too-slow"
            assert await caller.rest() == b""
        assert server.seen == ["gone"]


async def test_a_chunked_body_that_never_ends_is_given_up() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=30, body_seconds=SHORT, connections=9)) as server,
        call(server) as caller,
    ):
        await caller.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")

        assert problem(await caller.answer()) == "request-too-slow"


async def test_a_body_that_nobody_reads_is_given_up_without_a_second_answer() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=30, body_seconds=SHORT, connections=9)) as server,
        call(server) as caller,
    ):
        await caller.send(b"POST /unread HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf")

        status, _, _ = await caller.answer()

        assert status == 200
        assert await asyncio.wait_for(caller.rest(), 10 * SHORT) == b""


async def test_an_answer_that_has_begun_is_cut_short_and_nothing_is_written_into_it() -> None:
    async with (
        serving(Limits(header_bytes=4096, header_seconds=30, body_seconds=SHORT, connections=9)) as server,
        call(server) as caller,
    ):
        await caller.send(b"POST /stream HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf")

        rest = await caller.rest()

        assert b"first" in rest
        assert b"problem" not in rest
        assert b"last" not in rest


async def test_a_slow_answer_of_ours_is_no_fault_of_the_caller() -> None:
    limits = Limits(header_bytes=4096, header_seconds=SHORT, body_seconds=SHORT, connections=9)
    async with serving(limits) as server, call(server) as caller:
        await caller.send(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n")
        asyncio.get_running_loop().call_later(2 * SHORT, server.go_on.set)

        status, _, _ = await caller.answer()

        assert status == 200


HEAD = b"GET /%s HTTP/1.1\r\nhost: a\r\n%s\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD % (b"", b"x-canary: " + b"x" * 5000 + b"\r\n"),
        HEAD % (b"", b"x-canary: y\r\n" * 400),
        HEAD % (b"?canary=" + b"x" * 5000, b""),
        HEAD % (b"", b"x" * 5000 + b": canary\r\n"),
        b"GET / HTTP/1.1\r\nhost: a\r\nx-canary: " + b"x" * 5000,
        b"GET /?" + b"x" * 5000,
    ],
    ids=["value", "many", "address", "name", "unfinished value", "unfinished address"],
)
async def test_headers_that_are_too_large_are_refused(server: Server, raw: bytes) -> None:
    before = [*server.seen]
    async with call(server) as caller:
        await caller.send(raw)

        answer = await caller.answer()

        assert problem(answer) == "headers-too-large"
        assert b"canary" not in answer[2]
    assert server.seen == before


async def test_headers_sent_in_pieces_are_counted_together(server: Server) -> None:
    async with call(server) as caller:
        await caller.send(b"GET / HTTP/1.1\r\nhost: a\r\n")
        for _ in range(50):
            await caller.send(b"x-piece: " + b"x" * 100 + b"\r\n")

        assert problem(await caller.answer()) == "headers-too-large"


async def test_a_large_body_that_comes_with_its_headers_is_none_of_them(server: Server) -> None:
    async with call(server) as caller:
        await caller.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50000)

        assert (await caller.answer())[2] == b'{"length":50000}'


async def test_a_refusal_reaches_a_caller_who_is_still_sending(server: Server) -> None:
    async with call(server) as caller:
        await caller.send(b"GET / HTTP/1.1\r\nx-canary: " + b"x" * 20_000_000)

        assert problem(await caller.answer()) == "headers-too-large"


async def test_headers_count_from_zero_with_every_request(server: Server) -> None:
    async with call(server) as caller:
        for _ in range(5):
            await caller.send(HEAD % (b"", b"x-much: " + b"x" * 3000 + b"\r\n"))

            assert (await caller.answer())[0] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"canary\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: canary\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nx",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET http:///// HTTP/1.1\r\nhost: a\r\n\r\n",
        b"CONNECT canary:443 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\ncanary\r\n",
    ],
)
async def test_what_is_no_http_is_refused_with_a_problem(server: Server, raw: bytes) -> None:
    async with call(server) as caller:
        await caller.send(raw)

        answer = await caller.answer()

        assert problem(answer) == "request-malformed"
        assert b"canary" not in answer[2]


async def test_an_upgrade_is_answered_as_the_plain_request_that_it_is(server: Server) -> None:
    async with call(server) as caller:
        await caller.send(HEAD % (b"", b"connection: upgrade\r\nupgrade: h2c\r\n"))

        assert (await caller.answer())[0] == 200


async def status_of_a_new_connection(server: Server) -> int:
    async with call(server) as caller:
        await caller.send(HEAD % (b"", b""))
        status, _, _ = await caller.answer()
        return status


async def test_one_connection_too_many_is_told_to_come_back() -> None:
    async with serving(Limits(header_bytes=4096, header_seconds=30, body_seconds=30, connections=2)) as server:
        async with call(server) as first, call(server) as second, call(server) as third:
            answer = await third.answer()

            assert problem(answer) == "too-many-connections"
            assert answer[1]["retry-after"] == "1"
            for caller in (first, second):
                await caller.send(HEAD % (b"", b""))
                assert (await caller.answer())[0] == 200
        async with asyncio.timeout(5):
            while await status_of_a_new_connection(server) == 503:
                pass


async def test_two_hundred_slow_callers_leave_a_normal_one_alone() -> None:
    limits = Limits(header_bytes=4096, header_seconds=5 * SHORT, body_seconds=5 * SHORT, connections=1000)
    async with serving(limits) as server, AsyncExitStack() as connections:
        slow = [await connections.enter_async_context(call(server)) for _ in range(200)]
        for n, caller in enumerate(slow):
            await caller.send(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n" + (b"\r\n" if n % 2 else b""))

        normal = await connections.enter_async_context(call(server))
        for _ in range(50):
            await normal.send(HEAD % (b"", b""))
            assert (await asyncio.wait_for(normal.answer(), 1))[0] == 200

        answers = await asyncio.gather(*(caller.answer() for caller in slow))
        assert {problem(answer) for answer in answers} == {"request-too-slow"}
