"""Progress records: every practice report as one row; the view `progress` serves it."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import ClassVar
from uuid import UUID

from domain.events import ProgressRecorded, UserErased
from eventstore.record import Record
from projections.projection import Connection, Rows, Seen, forget

Row = tuple[object, ...]


Changes = dict[UUID, list[Row] | None]
"""By student; None for whoever was erased."""


class ProgressRecords:
    """One row a report, at the report's position."""

    name = "progress_records"
    category = None
    tables = ("progress_records",)
    handles: ClassVar[frozenset[str]] = frozenset({ProgressRecorded.TOPIC, UserErased.TOPIC})

    def fold(self, events: Iterable[Seen], onto: Changes | None = None) -> Changes:
        """Return a row for each report."""
        changes: Changes = {} if onto is None else onto
        for event, record in events:
            match event:
                case ProgressRecorded():
                    rows = changes.get(event.originator_id)
                    if rows is None:
                        rows = changes[event.originator_id] = []
                    rows.append(_row(event, record))
                case UserErased():
                    changes[event.originator_id] = None
                case _:
                    pass
        return changes

    def rows(self, changes: Changes) -> dict[str, list[Row]]:
        """Return the rows; of who was erased there are none."""
        return {"progress_records": [row for rows in changes.values() if rows for row in rows]}

    async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
        """Insert the rows."""
        erased = [student for student, rows in changes.items() if rows is None]
        await forget(connection, self.tables, "student_id", generation, erased)
        if rows := self.rows(changes)["progress_records"]:
            await connection.execute(_insert(generation), *zip(*rows, strict=True))

    def cache_key(self, person_id: UUID) -> str | None:
        """Return nothing: reports are not cached one by one."""

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return nothing."""


def _row(event: ProgressRecorded, record: Record) -> Row:
    return (
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
