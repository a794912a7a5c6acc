"""Protocol: requests that are large, broken or many are refused with a problem, and all others served."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.protocol import Limits

from .wire import HEAD, PATIENT, Server, call, problem, serving


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    """Return a server that waits as long as any of these tests takes."""
    async with serving(PATIENT) as server:
        yield server


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
