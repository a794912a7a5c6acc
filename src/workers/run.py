"""Run: the projector as a process, until it is told to stop."""

import asyncio

import structlog

from adapters.cache import Cache
from adapters.memory import settle_memory
from adapters.settings import Settings
from eventstore.connections import LOST, PROJECTOR, create_pool
from eventstore.reader import LogReader, Wakeups
from projections.progress_records import ProgressRecords
from projections.progress_summary import ProgressSummaries
from projections.user_profile import UserProfiles
from workers.projector import Projector
from workers.subscription import TailingSubscription

logger = structlog.get_logger()


async def run_projector(settings: Settings, stop: asyncio.Event) -> None:
    """Project everything that concerns one student, tailing the log, until `stop` is set."""
    dsn = settings.database_url.get_secret_value()
    pool = await create_pool(dsn, PROJECTOR, size=3)
    cache = Cache(settings.redis_url.get_secret_value())
    wakeups = Wakeups(dsn, PROJECTOR)
    wakeups.start()
    settle_memory()
    projector = Projector(pool, cache, (UserProfiles(), ProgressRecords(), ProgressSummaries()))
    working = asyncio.create_task(_project(projector, LogReader(pool), wakeups), name="projector")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, stopping):
            await end(task)
        await wakeups.stop()
        await cache.close()
        pool.terminate()
    if not working.cancelled():
        working.result()


async def end(task: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
    """Cancel a task until it ends: `wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


async def _project(projector: Projector, reader: LogReader, wakeups: Wakeups) -> None:
    while True:
        try:
            cursors = await projector.cursors()
        except LOST as error:
            logger.warning("projector_waits_for_postgres", error=type(error).__name__)
            await asyncio.sleep(0.5)
            continue
        await projector.run(TailingSubscription(reader, cursors, wakeups))
