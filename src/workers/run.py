"""Run: the projector or the relay as a process, until it is told to stop."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial

import asyncpg
import structlog

from adapters.cache import Cache
from adapters.settings import PREFIX, Settings, SettingsInvalid
from eventstore.connections import LOST, PROJECTOR, create_pool
from eventstore.reader import LogReader, Wakeups
from projections.students import STUDENTS
from workers.audit_schedule import audit_for_ever
from workers.projector import Projector
from workers.subscription import TailingSubscription

logger = structlog.get_logger()


async def run_projector(settings: Settings, stop: asyncio.Event) -> None:
    """Project everything that concerns one student until `stop` is set: from the broker, or tailing where none is."""
    dsn = settings.database_url.get_secret_value()
    pool = await create_pool(dsn, PROJECTOR, size=4)
    cache = Cache(settings.redis_url.get_secret_value())
    wakeups = Wakeups(dsn, PROJECTOR)
    wakeups.start()
    projector = Projector(pool, cache, STUDENTS)
    if settings.rabbitmq_url:
        work = _project_from_broker(settings, settings.rabbitmq_url.get_secret_value(), projector, pool, wakeups)
    else:
        work = _project_from_log(projector, pool, wakeups)
    working = asyncio.create_task(work, name="projector")
    auditing = asyncio.create_task(audit_for_ever(pool, cache, STUDENTS, every=settings.audit_seconds), name="audit")
    try:
        await _until(stop, working)
    finally:
        await end(auditing)
        await wakeups.stop()
        await cache.close()
        pool.terminate()


async def run_relay(settings: Settings, stop: asyncio.Event) -> None:
    """Carry the log to the broker, or stand by for the relay that does, until `stop` is set."""
    # Without a broker, nothing that speaks to one is loaded.
    from adapters.broker.connection import connect  # noqa: PLC0415
    from adapters.broker.outbox import Outbox  # noqa: PLC0415
    from adapters.broker.topology import STUDENTS  # noqa: PLC0415
    from workers.lease import Lease  # noqa: PLC0415
    from workers.relay import Relay  # noqa: PLC0415

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
        await _until(stop, working)
    finally:
        with suppress(*LOST, asyncpg.PostgresError):
            async with asyncio.timeout(1):
                await lease.release()
        await wakeups.stop()
        pool.terminate()


async def _until(stop: asyncio.Event, working: "asyncio.Task[None]") -> None:
    """Let it work until `stop` is set; if it ended by itself, say why."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, stopping):
            await end(task)
    if not working.cancelled():
        working.result()


async def end(task: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
    """Cancel a task until it ends: `wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


async def finish(farewell: Coroutine[None, None, None]) -> None:
    """Do what must not be left half done and takes no long time, however often this task is cancelled meanwhile."""
    task = asyncio.create_task(farewell)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    task.result()


async def _project_from_log(projector: Projector, pool: asyncpg.Pool, wakeups: Wakeups) -> None:
    await projector.run(TailingSubscription(LogReader(pool), await _cursors(projector), wakeups))


async def _project_from_broker(
    settings: Settings, url: str, projector: Projector, pool: asyncpg.Pool, wakeups: Wakeups
) -> None:
    from adapters.broker.connection import connect  # noqa: PLC0415
    from adapters.broker.intake import Intake  # noqa: PLC0415
    from adapters.broker.topology import STUDENTS  # noqa: PLC0415
    from workers.broker_subscription import BrokerSubscription  # noqa: PLC0415
    from workers.share import Share  # noqa: PLC0415

    await _cursors(projector)
    share = Share(pool, STUDENTS, settings.broker_queues)
    to_broker = partial(connect, url, name="afterschool projector", ca_file=settings.rabbitmq_ca_file)
    intake = Intake(to_broker, STUDENTS, settings.broker_queues, lambda: share.queues)
    cursors = partial(_cursors, projector)
    await projector.run(BrokerSubscription(intake, share, LogReader(pool), cursors, wakeups))


async def _cursors(projector: Projector) -> dict[int, int]:
    while True:
        try:
            return await projector.cursors()
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("projector_waits_for_postgres", error=type(error).__name__)
            await asyncio.sleep(0.5)
