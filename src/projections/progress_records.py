"""Progress records: every practice report as one row; the view `progress` serves it."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import ClassVar
from uuid import UUID

from domain.events import ProgressRecorded
from projections.projection import Connection, Rows, Seen

Row = tuple[object, ...]


class ProgressRecords:
    """One row a report, at the report's position."""

    name = "progress_records"
    tables = ("progress_records",)
    handles: ClassVar[frozenset[str]] = frozenset({ProgressRecorded.TOPIC})

    def fold(self, events: Iterable[Seen], onto: list[Row] | None = None) -> list[Row]:
        """Return a row for each report."""
        rows = [] if onto is None else onto
        rows += [
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
        return rows

    def rows(self, changes: list[Row]) -> dict[str, list[Row]]:
        """Return the rows."""
        return {"progress_records": changes}

    async def write(self, connection: Connection, changes: list[Row], generation: int) -> None:
        """Insert the rows."""
        if changes:
            await connection.execute(_insert(generation), *zip(*changes, strict=True))

    def cache_key(self, person_id: UUID) -> str | None:
        """Return nothing: reports are not cached one by one."""

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return nothing."""


@cache
def _insert(generation: int) -> str:
    return _INSERT.format(generation=generation)


_INSERT = """
insert into read.progress_records_g{generation}
select * from unnest(
    $1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[], $8::boolean[], $9::text[],
    $10::timestamptz[], $11::timestamptz[]
)
"""
