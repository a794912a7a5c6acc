"""Connection: at once or not at all, with TLS where the address says so, and honest about what broke."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aio_pika import Message, RobustConnection
from aio_pika.abc import AbstractConnection

from adapters.broker.connection import BrokerLost, cancelled_by_us_only, connect, connected, is_blocked
from tests.adapters.broker.certificates import a_server
from tests.faults.proxy import Proxy


@asynccontextmanager
async def tls_in_front_of(url: str, context: ssl.SSLContext) -> AsyncIterator[str]:
    """Speak TLS to clients and plain AMQP to the broker behind; return the address as a client has it."""
    parts = urlsplit(url)
    tasks = set()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65_536):
            sink.write(chunk)
        sink.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        answers, behind = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(copy(reader, behind), copy(answers, writer), return_exceptions=True)

    server = await asyncio.start_server(join, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    yield f"amqps://{parts.username}:{parts.password}@localhost:{port}{parts.path}"
    server.close()
    await asyncio.gather(*filter(None, tasks))


@asynccontextmanager
async def open_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    parts = urlsplit(url)
    async with Proxy(parts.hostname or "", parts.port or 5672) as proxy:
        yield proxy, parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


async def works(connection: AbstractConnection) -> bool:
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True)
    await channel.default_exchange.publish(Message(b"hello"), queue.name)
    return (await queue.get()).body == b"hello"


async def test_it_does_not_come_back_by_itself(rabbitmq: str) -> None:
    async with await connect(rabbitmq, name="tests") as connection:
        assert not isinstance(connection, RobustConnection)
        assert await works(connection)


async def test_tls_is_checked_against_the_authority_that_is_set(rabbitmq: str, tmp_path: Path) -> None:
    authority, context = a_server(tmp_path, "localhost")
    async with tls_in_front_of(rabbitmq, context) as url:
        async with await connect(url, name="tests", ca_file=str(authority)) as connection:
            assert await works(connection)

        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await connect(url, name="tests")


async def test_tls_of_another_host_is_refused(rabbitmq: str, tmp_path: Path) -> None:
    authority, context = a_server(tmp_path, "elsewhere.example")
    async with tls_in_front_of(rabbitmq, context) as url:
        with pytest.raises(OSError, match="localhost"):
            await connect(url, name="tests", ca_file=str(authority))


async def test_a_broker_that_says_nothing_is_no_broker(rabbitmq: str) -> None:
    async with open_proxy(rabbitmq) as (proxy, url):
        proxy.go_silent()

        with pytest.raises(TimeoutError):
            await connect(url, name="tests")


async def test_both_sides_owe_each_other_a_sign_of_life_every_few_seconds(rabbitmq: str) -> None:
    async with await connect(rabbitmq, name="tests") as connection:
        assert connection.transport
        assert connection.transport.connection.connection_tune.heartbeat == 5


async def test_closing_does_not_wait_for_a_broker_that_says_nothing(rabbitmq: str) -> None:
    async with open_proxy(rabbitmq) as (proxy, url):

        async def open_and_close() -> None:
            async with connected(lambda: connect(url, name="tests")):
                proxy.go_silent()

        await asyncio.wait_for(open_and_close(), 10)


async def test_a_broker_that_takes_messages_is_not_blocked(rabbitmq: str) -> None:
    async with await connect(rabbitmq, name="tests") as connection:
        assert not await is_blocked(connection)


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_broker() -> None:
    given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    given_up.cancel()

    with pytest.raises(BrokerLost), cancelled_by_us_only():
        await given_up


async def test_a_cancellation_of_ours_stays_one() -> None:
    async def wait() -> None:
        with cancelled_by_us_only():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()


async def test_the_library_repeats_no_message_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("aiormq.channel", "aio_pika.exchange"):
        logging.getLogger(name).error("Unhandled message %r returning", b"a child's score")

    assert caplog.text == ""
