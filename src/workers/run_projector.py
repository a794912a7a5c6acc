"""Run projector: the projector as a process, until it is told to stop."""

import asyncio
from functools import partial

import asyncpg
import structlog

from adapters.cache import Cache
from adapters.settings import Settings
from adapters.stopping import end, until
from eventstore.connections import LOST, PROJECTOR, create_pool
from eventstore.reader import LogReader, Wakeups
from projections.read_models import READ_MODELS
from workers.audit_schedule import audit_for_ever
from workers.projector import Projector
from workers.subscription import TailingSubscription

logger = structlog.get_logger()


async def run_projector(settings: Settings, stop: asyncio.Event) -> None:
    """Project everything until `stop` is set: from the broker, or tailing where none is."""
    dsn = settings.database_url.get_secret_value()
    pool = await create_pool(dsn, PROJECTOR, size=4)
    cache = Cache(settings.redis_url.get_secret_value())
    wakeups = Wakeups(dsn, PROJECTOR)
    wakeups.start()
    projector = Projector(pool, cache, READ_MODELS)
    if settings.rabbitmq_url:
        work = _project_from_broker(settings, settings.rabbitmq_url.get_secret_value(), projector, pool, wakeups)
    else:
        work = _project_from_log(projector, pool, wakeups)
    working = asyncio.create_task(work, name="projector")
    auditing = asyncio.create_task(audit_for_ever(pool, cache, READ_MODELS, every=settings.audit_seconds), name="audit")
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
    from workers.brokered import subscribe  # noqa: PLC0415  without a broker, nothing that speaks to one is loaded

    await _cursors(projector)
    await projector.run(subscribe(settings, url, projector, pool, wakeups, cursors=partial(_cursors, projector)))


async def _cursors(projector: Projector) -> dict[int, int]:
    while True:
        try:
            return await projector.cursors()
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("projector_waits_for_postgres", error=type(error).__name__)
            await asyncio.sleep(0.5)
