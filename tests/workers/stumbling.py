"""Stumbling: a projection whose first transactions fail after its rows were written."""

from projections.progress_summary import ProgressSummaries, Summaries
from projections.projection import Connection


class Stumbling(ProgressSummaries):
    """Progress summaries that fail so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    async def write(self, connection: Connection, changes: Summaries, generation: int) -> None:
        await super().write(connection, changes, generation)
        if changes and self._times:
            self._times -= 1
            await connection.execute("select 1 / 0")
