"""Progress records: every practice report as one row; the view `progress` serves it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import asyncpg

from domain.events import ProgressRecorded
from projections.projection import Seen

Row = tuple[object, ...]


class ProgressRecords:
    """One row a report, at the report's position."""

    name = "progress_records"
    handles: ClassVar[frozenset[str]] = frozenset({ProgressRecorded.TOPIC})

    def fold(self, events: Sequence[Seen]) -> list[Row]:
        """Return a row for each report."""
        return [
            (
                event.originator_id,
                record.position,
                record.event_id,
                event.subject,
                event.topic,
                event.score,
                event.time_spent,
                event.completed,
                event.source,
                record.occurred_at,
                record.recorded_at,
            )
            for event, record in events
            if isinstance(event, ProgressRecorded)
        ]

    async def write(self, connection: asyncpg.pool.PoolConnectionProxy, changes: list[Row]) -> None:
        """Insert the rows."""
        if changes:
            await connection.copy_records_to_table("progress_records_g1", schema_name="read", records=changes)

    def stale_keys(self, changes: list[Row]) -> Mapping[str, int]:  # noqa: ARG002  nothing of it is cached
        """Return nothing: reports are not cached one by one."""
        return {}
