"""Connection: how every process of ours reaches RabbitMQ: at once or not at all, and seen dead within seconds."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

TIMEOUT = 5.0
"""Seconds until a connection stands, or does not."""
HEARTBEAT = 5
"""Seconds between signs of life that both sides owe each other."""
FAREWELL = 3.0
"""Seconds that closing may take."""

# These libraries quote whole messages, and a log is no place for children's data; we log what we make of their errors.
for library in ("aiormq", "aio_pika"):
    logging.getLogger(library).setLevel(logging.CRITICAL)


class BrokerLost(Exception):
    """The connection to the broker broke, and took with it what was under way."""


BROKEN = (OSError, TimeoutError, AMQPError, ChannelInvalidStateError, BrokerLost)
"""What a broken connection raises, or a broker that does not do what it was asked."""

Connect = Callable[[], Awaitable[AbstractConnection]]


class _Connection(aio_pika.Connection):
    """A connection that whoever opened it closes."""

    def __del__(self) -> None:
        """Do nothing: the library would begin to close it, in no loop or in another's."""


async def connect(url: str, *, name: str, ca_file: str = "") -> AbstractConnection:
    """Connect once; the connection does not come back by itself, because its owner must go back to its checkpoint.

    `amqps://` is TLS with the server's certificate checked, against `ca_file` if there is one. `name` is what an
    operator sees in the broker's list of connections. Raises `OSError`, `TimeoutError` or an `AMQPError`.
    """
    trusted = ssl.create_default_context(cafile=ca_file or None) if url.startswith("amqps:") else None
    async with asyncio.timeout(TIMEOUT):
        return await aio_pika.connect(
            url,
            ssl_context=trusted,
            heartbeat=HEARTBEAT,
            client_properties={"connection_name": name},
            connection_class=_Connection,
        )


@asynccontextmanager
async def connected(connect: Connect) -> AsyncIterator[AbstractConnection]:
    """Connect, and close the connection after use, without waiting long for a broker that does not answer."""
    connection = await connect()
    try:
        yield connection
    finally:
        with suppress(*BROKEN), cancelled_by_us_only():
            async with asyncio.timeout(FAREWELL):
                await connection.close()


async def is_blocked(connection: AbstractConnection) -> bool:
    """Tell whether the broker has said that it takes nothing for now, being short of memory or disk."""
    if connection.transport is None:
        return False
    try:
        async with asyncio.timeout(0):
            await connection.transport.ready()
    except TimeoutError:
        return True
    return False


@contextmanager
def cancelled_by_us_only() -> Iterator[None]:
    """Raise `BrokerLost` where the library says `CancelledError` for a connection that broke.

    Taken for a cancellation of ours it would end a task without an error, as if everything had been confirmed.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerLost from error
