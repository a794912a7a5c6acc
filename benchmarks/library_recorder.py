"""Library recorder: `eventsourcing`'s own Postgres recorder, one event an append, at its best number of threads."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

THREADS = (1, 2, 4, 8, 16)
"""Numbers of threads that are tried; on two cores more than these make it slower."""


class LibraryRecorder:
    """The recorder in its safe default mode, which locks its table for each append."""

    def __init__(self, dsn: str, state: bytes) -> None:
        address = urlsplit(dsn)
        self.threads = THREADS[0]
        self._state = state
        self._datastore = PostgresDatastore(
            dbname=address.path[1:],
            host=address.hostname or "",
            port=address.port or 5432,
            user=address.username or "",
            password=address.password or "",
            pool_size=max(THREADS),
        )
        self._recorder = PostgresApplicationRecorder(self._datastore)
        self._recorder.create_table()

    async def find_best(self, seconds: float) -> None:
        """Try some numbers of threads and keep the fastest."""
        found = {threads: await self._rate(threads, seconds) for threads in THREADS}
        self.threads = max(found, key=lambda threads: found[threads])

    async def rate(self, seconds: float) -> float:
        """Return appends a second."""
        return await self._rate(self.threads, seconds)

    def close(self) -> None:
        """Let go of the connections."""
        self._datastore.close()

    async def _rate(self, threads: int, seconds: float) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            loop = asyncio.get_running_loop()
            counts = [loop.run_in_executor(pool, self._append_until, began + seconds) for _ in range(threads)]
            return sum(await asyncio.gather(*counts)) / (time.perf_counter() - began)

    def _append_until(self, end: float) -> int:
        stream: UUID = uuid4()
        for version in count(1):
            self._recorder.insert_events([StoredEvent(stream, version, "ProgressRecorded", self._state)])
            if time.perf_counter() >= end:
                return version
        raise AssertionError
