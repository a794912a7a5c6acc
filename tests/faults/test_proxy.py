"""The proxy fails exactly as told, so that tests may rely on where a connection broke."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy, Towards


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Stand before a server that answers every chunk in capitals."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.clear()
        try:
            while chunk := await reader.read(100):
                heard.append(chunk)
                writer.write(chunk.upper())
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as started:
        yield started


heard: list[bytes] = []
"""What the server has heard on its last connection."""


async def ask(proxy: Proxy, *questions: bytes) -> bytes:
    """Return everything that comes back for these questions on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    answers = b""
    try:
        for question in questions:
            writer.write(question)
            answer = await asyncio.wait_for(reader.read(100), 0.3)
            answers += answer
            if not answer:
                break
    finally:
        writer.close()
    return answers


async def test_everything_passes_at_first(proxy: Proxy) -> None:
    assert await ask(proxy, b"one", b"two") == b"ONETWO"


async def test_a_cut_towards_the_server_ends_before_the_server_hears(proxy: Proxy) -> None:
    proxy.cut(Towards.SERVER, after=4)

    assert await ask(proxy, b"one", b"two") == b"ONE"
    assert b"".join(heard) == b"onet"
    assert proxy.cuts == 1


async def test_a_cut_towards_the_client_ends_after_the_server_has_answered(proxy: Proxy) -> None:
    proxy.cut(Towards.CLIENT, after=4)

    assert await ask(proxy, b"one", b"two") == b"ONET"
    assert heard == [b"one", b"two"]


async def test_a_cut_happens_once(proxy: Proxy) -> None:
    proxy.cut(Towards.CLIENT)

    assert await ask(proxy, b"one") == b""
    assert await ask(proxy, b"two") == b"TWO"


async def test_a_cut_by_reset_is_a_reset(proxy: Proxy) -> None:
    proxy.cut(Towards.CLIENT, reset=True)

    with pytest.raises(ConnectionResetError):
        await ask(proxy, b"one")


async def test_a_server_that_went_away_resets_every_connection_until_it_comes_back(proxy: Proxy) -> None:
    proxy.go_away()

    with pytest.raises(ConnectionError):
        await ask(proxy, b"one")

    proxy.come_back()
    assert await ask(proxy, b"two") == b"TWO"


async def test_a_silent_server_swallows_what_it_is_told(proxy: Proxy) -> None:
    proxy.go_silent()

    with pytest.raises(TimeoutError):
        await ask(proxy, b"one")

    proxy.come_back()
    assert await ask(proxy, b"two") == b"TWO"
