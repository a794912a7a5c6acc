"""Run housekeeper: what has to happen by itself, as a process, until it is told to stop."""

import asyncio

import asyncpg

from adapters.settings import PREFIX, Settings, SettingsInvalid
from adapters.stopping import until
from adapters.wiring import Backend, open_backend
from eventstore.connections import HOUSEKEEPER, create_pool
from workers.erasing import keep_erasing
from workers.hash_reads import keep_hashing
from workers.retention import keep_to_schedule


async def run_housekeeper(settings: Settings, stop: asyncio.Event) -> None:
    """Finish erasures, keep to the schedule of retention and hash what was read of children, until `stop` is set.

    Two of them do no harm.
    """
    if not settings.erasure_ledger:
        raise SettingsInvalid(f"{PREFIX}ERASURE_LEDGER: name a file away from the database that keeps who was erased")
    pool = await create_pool(settings.database_url.get_secret_value(), HOUSEKEEPER, size=2)
    try:
        async with open_backend(settings) as backend:
            await until(stop, asyncio.create_task(_work(backend, pool), name="housekeeping"))
    finally:
        pool.terminate()


async def _work(backend: Backend, pool: asyncpg.Pool) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_erasing(backend.erasure), name="erasing")
        tasks.create_task(keep_to_schedule(pool, backend.log), name="retention")
        tasks.create_task(keep_hashing(backend.log, backend.pool), name="hashing reads")
