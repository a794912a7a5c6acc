"""Poisonous: read models that cannot fold some reports, until they are mended."""

from collections.abc import Iterable

from projections.progress_records import Changes, ProgressRecords
from projections.progress_summary import ProgressSummaries, Summaries
from projections.projection import Connection, Seen

POISON = 6_66
"""Score of a report that cannot be folded."""


class PoisonousSummaries(ProgressSummaries):
    """Progress summaries whose fold fails."""

    def __init__(self) -> None:
        self.mended = False

    def fold(self, events: Iterable[Seen], onto: Summaries | None = None) -> Summaries:
        events = list(events)
        if not self.mended and any(getattr(event, "score", 0) == POISON for event, _ in events):
            raise ArithmeticError("a score that nobody expected")
        return super().fold(events, onto)


class PoisonousRecords(ProgressRecords):
    """Progress records that the database refuses."""

    def __init__(self) -> None:
        self.mended = False

    async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
        await super().write(connection, changes, generation)
        if not self.mended and any(row[5] == POISON for row in self.rows(changes)["progress_records"]):
            await connection.execute("select 1 / 0")
