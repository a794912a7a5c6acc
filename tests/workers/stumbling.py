"""Stumbling: a projection whose first transactions fail after its rows were written."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from projections.progress_summary import ProgressSummaries, Summary


class Stumbling(ProgressSummaries):
    """Progress summaries that fail so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    async def write(self, connection: asyncpg.pool.PoolConnectionProxy, changes: Mapping[UUID, Summary]) -> None:
        await super().write(connection, changes)
        if changes and self._times:
            self._times -= 1
            await connection.execute("select 1 / 0")
