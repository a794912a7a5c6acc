"""Deadlines: a caller who is slow is given up, however cleverly, and one who waits for us is not."""

import asyncio
from contextlib import AsyncExitStack

from api.protocol import Limits

from .wire import HEAD, call, problem, serving

SHORT = 0.15
"""Seconds of a deadline that tests wait for."""


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
