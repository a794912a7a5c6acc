"""Run projector: the projector as a process, until it is told to stop."""

import asyncio
from functools import partial

import asyncpg
import structlog

from adapters.cache import Cache
from adapters.settings import Settings
from eventstore.connections import LOST, PROJECTOR, create_pool
from eventstore.reader import LogReader, Wakeups
from projections.students import STUDENTS
from workers.audit_schedule import audit_for_ever
from workers.projector import Projector
from workers.stopping import end, until
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
        await until(stop, working)
    finally:
        await end(auditing)
        await wakeups.stop()
        await cache.close()
        pool.terminate()


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
    reader, told = LogReader(pool), projector.distrust_cache
    await projector.run(BrokerSubscription(intake, share, reader, cursors, wakeups, taken_over=told))


async def _cursors(projector: Projector) -> dict[int, int]:
    while True:
        try:
            return await projector.cursors()
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("projector_waits_for_postgres", error=type(error).__name__)
            await asyncio.sleep(0.5)
