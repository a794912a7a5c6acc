"""Stumbling: a projection whose first transactions fail after its rows were written."""

from collections.abc import Mapping
from uuid import UUID

from projections.progress_summary import ProgressSummaries, Summary
from projections.projection import Connection


class Stumbling(ProgressSummaries):
    """Progress summaries that fail so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    async def write(self, connection: Connection, changes: Mapping[UUID, Summary], generation: int) -> None:
        await super().write(connection, changes, generation)
        if changes and self._times:
            self._times -= 1
            await connection.execute("select 1 / 0")
