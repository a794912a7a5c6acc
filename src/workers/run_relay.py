"""Run relay: the relay as a process, until it is told to stop. Without a broker nothing of this is loaded."""

import asyncio
from contextlib import suppress
from functools import partial

import asyncpg

from adapters.broker.connection import connect
from adapters.broker.outbox import Outbox
from adapters.broker.topology import STUDENTS
from adapters.settings import PREFIX, Settings, SettingsInvalid
from adapters.stopping import until
from eventstore.connections import LOST, PROJECTOR, create_pool
from eventstore.reader import Wakeups
from workers.lease import Lease
from workers.relay import Relay


async def run_relay(settings: Settings, stop: asyncio.Event) -> None:
    """Carry the log to the broker, or stand by for the relay that does, until `stop` is set."""
    if settings.rabbitmq_url is None:
        raise SettingsInvalid(f"{PREFIX}RABBITMQ_URL: without a broker there is nothing to relay to")
    dsn, url = settings.database_url.get_secret_value(), settings.rabbitmq_url.get_secret_value()
    pool = await create_pool(dsn, PROJECTOR, size=3)
    wakeups = Wakeups(dsn, PROJECTOR)
    wakeups.start()
    lease = Lease(pool)
    relay = Relay(
        lease,
        Outbox(pool),
        partial(connect, url, name="afterschool relay", ca_file=settings.rabbitmq_ca_file),
        groups={STUDENTS: settings.broker_queues},
        wakeups=wakeups,
    )
    working = asyncio.create_task(relay.run(), name="relay")
    try:
        await until(stop, working)
    finally:
        with suppress(*LOST, asyncpg.PostgresError):
            async with asyncio.timeout(1):
                await lease.release()
        await wakeups.stop()
        pool.terminate()
