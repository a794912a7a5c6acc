"""Refolding: one student's or question's rows made again from the log, held against what a generation's tables hold.

What is parked or discarded is left out, for it is in no row.
"""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

from eventstore.codec import decode, stream_of
from eventstore.record import COLUMNS, Record, part_of
from projections.projection import Connection, Projection, Rows, Seen
from workers.parking import is_poison


class Refolded(NamedTuple):
    """A student's rows as they are stored, and what is wrong with them."""

    stored: Rows
    differences: list[str]
    """In words, without anything that a student did."""


async def refold(connection: Connection, projection: Projection, generation: int, student_id: UUID) -> Refolded:
    """Compare the rows about a student, or whatever they are about, with the fold of its history up to the cursor.

    The connection is in a transaction that sees one moment (repeatable read).
    """
    stored = await read_rows(connection, projection, generation, student_id)
    stream = projection.category and stream_of(projection.category, student_id)
    records = [
        Record(*row)
        for row in await connection.fetch(
            f"""
            select {COLUMNS} from events
            where {"stream = $6" if stream else "subject = $1 and $6::text is null"} and type = any($2)
                and position <= (
                    select position from read.cursors where projection = $3 and generation = $4 and part = $5
                )
                and position not in (
                    select position from read.parked_events
                    where projection = $3 and generation = $4 and student_id = $1
                )
            order by position
            """,  # noqa: S608  fixed words
            student_id,
            list(projection.handles),
            projection.name,
            generation,
            part_of(None, stream) if stream else part_of(student_id, ""),
            stream,
        )
    ]
    try:
        made = projection.rows(projection.fold([Seen(decode(record), record) for record in records]))
    except Exception as error:
        if not is_poison(error):
            raise
        return Refolded(stored, [f"the history cannot be folded: {type(error).__name__}"])
    return Refolded(
        stored,
        [
            f"{table} has {len(stored[table])} rows, {len(made[table])} by the log"
            if len(stored[table]) != len(made[table])
            else f"{table} differs from the log"
            for table in projection.tables
            if Counter(stored[table]) != Counter(made[table])
        ],
    )


async def read_rows(connection: Connection, projection: Projection, generation: int | None, student_id: UUID) -> Rows:
    """Return a student's rows of every table of a generation, or, without one, of the views that readers see."""
    suffix = "" if generation is None else f"_g{generation}"
    return {
        table: [
            tuple(row)
            for row in await connection.fetch(
                f"select * from read.{table}{suffix} as t(person_id) where person_id = $1",  # noqa: S608  names of ours
                student_id,
            )
        ]
        for table in projection.tables
    }
