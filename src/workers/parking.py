"""Parking: events that cannot be folded, set aside with all that follow of the same student, until an operator acts.

Everybody else's events flow on. What is parked is found by bisection, so that nobody else's events are.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.events import UserErased
from eventstore.codec import decode
from eventstore.connections import LOST
from eventstore.record import COLUMNS, Record
from projections.projection import Connection, Projection, Seen


class Poison(NamedTuple):
    """Events of one student: the first cannot be folded, the others follow it."""

    records: list[Record]
    error: str
    """Name of the exception; never its text, which may quote an event."""


class Retried(NamedTuple):
    """What became of parked events that were tried again."""

    applied: int
    still_parked: int
    position: int
    """Of the last event that was folded; 0 without any. Cached values from before it are stale."""


def is_poison(error: BaseException) -> bool:
    """Tell whether an event may be to blame; if not, a machine is, and trying again will help."""
    if isinstance(error, asyncpg.PostgresError):
        return isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError)
    if isinstance(error, ValueError):  # of asyncpg too, for a value that its column cannot hold
        return True
    return isinstance(error, Exception) and not isinstance(error, (*LOST, MemoryError))


async def write(connection: Connection, projection: Projection, generation: int, records: Sequence[Record]) -> None:
    """Fold events and write what changes."""
    changes = projection.fold([Seen(decode(record), record) for record in records])
    await projection.write(connection, changes, generation)


async def write_apart(
    connection: Connection, projection: Projection, generation: int, records: Sequence[Record]
) -> list[Poison]:
    """Fold and write what can be, halving the rest until it is one student's first impossible event and its followers.

    Raises whatever is no event's fault.
    """
    try:
        async with connection.transaction():
            await write(connection, projection, generation, records)
    except Exception as error:
        if not is_poison(error):
            raise
        students = sorted({student_of(record) for record in records})
        if len(students) > 1:
            first = set(students[: len(students) // 2])
            halves = [r for r in records if student_of(r) in first], [r for r in records if student_of(r) not in first]
            return [one for half in halves for one in await write_apart(connection, projection, generation, half)]
        if len(records) == 1:
            return [Poison(list(records), type(error).__name__)]
        middle = len(records) // 2
        for poison in await write_apart(connection, projection, generation, records[:middle]):
            return [Poison([*poison.records, *records[middle:]], poison.error)]
        return await write_apart(connection, projection, generation, records[middle:])
    return []


def student_of(record: Record) -> UUID:
    """Return whose sequence an event belongs to."""
    return record.subject or UUID(record.stream[-36:])


async def read_parked_students(connection: Connection, students: Collection[UUID]) -> dict[tuple[str, int], set[UUID]]:
    """Return which of these students have parked events, by projection and generation."""
    rows = await connection.fetch(
        """
        select projection, generation, array_agg(distinct student_id) as students from read.parked_events
        where student_id = any($1) and discarded_at is null group by projection, generation
        """,
        students,
    )
    return {(row["projection"], row["generation"]): set(row["students"]) for row in rows}


async def park(connection: Connection, projection: str, generation: int, poison: Sequence[Poison]) -> None:
    """Set events aside; those that only follow another bear no error of their own."""
    rows = [
        (projection, generation, record.position, record.part, student_of(record), "" if follows else one.error)
        for one in poison
        for follows, record in enumerate(one.records)
    ]
    await connection.copy_records_to_table(
        "parked_events",
        schema_name="read",
        columns=["projection", "generation", "position", "part", "student_id", "error"],
        records=rows,
    )


async def make_way(
    connection: Connection, projection: str, generation: int, records: Sequence[Record]
) -> tuple[Sequence[Record], set[UUID]]:
    """Let erasures through: return what is left to fold, and who was erased and therefore waits no longer.

    What came before an erasure would be written only to be deleted, and what is parked of who was erased is given up;
    else a poisonous event would keep someone's rows for ever.
    """
    erased = {student_of(record) for record in records if record.type == UserErased.TOPIC}
    if not erased:
        return records, erased
    await connection.execute(
        """
        with given_up as (
            update read.parked_events set discarded_at = clock_timestamp()
            where projection = $1 and generation = $2 and student_id = any($3) and discarded_at is null
            returning part
        )
        update read.cursors as c set parked = c.parked - n
        from (select part, count(*)::int as n from given_up group by part) as g
        where c.projection = $1 and c.generation = $2 and c.part = g.part
        """,
        projection,
        generation,
        erased,
    )
    return [r for r in records if student_of(r) not in erased or r.type == UserErased.TOPIC], erased


async def retry(
    connection: asyncpg.pool.PoolConnectionProxy, projections: Mapping[str, Projection], student_id: UUID
) -> Retried:
    """Fold a student's parked events again, in order, in every generation where some are, as one transaction.

    The caller tells Redis afterwards that the student's cached values are stale.
    """
    applied = still = position = 0
    async with connection.transaction():
        for cursor in await _lock_cursors(connection, student_id):
            name, generation, _ = cursor
            records = await _read_parked(connection, name, generation, student_id)
            poison = await write_apart(connection, projections[name], generation, records) if records else []
            remaining = [record.position for one in poison for record in one.records]
            await connection.execute(
                """
                delete from read.parked_events
                where projection = $1 and generation = $2 and position = any($3) and not position = any($4)
                """,
                name,
                generation,
                [record.position for record in records],
                remaining,
            )
            await connection.execute(
                """
                update read.parked_events set tries = tries + 1, error = case when position = $4 then $5 else '' end
                where projection = $1 and generation = $2 and position = any($3)
                """,
                name,
                generation,
                remaining,
                min(remaining, default=0),
                poison[0].error if poison else "",
            )
            folded = [record.position for record in records if record.position not in remaining]
            await connection.execute(
                """
                update read.cursors set applied = applied + $4, parked = parked - $4
                where (projection, generation, part) = ($1, $2, $3)
                """,
                *cursor,
                len(folded),
            )
            applied, still, position = applied + len(folded), still + len(remaining), max([position, *folded])
    return Retried(applied, still, position)


async def discard(connection: asyncpg.pool.PoolConnectionProxy, student_id: UUID, position: int) -> int:
    """Give up folding one parked event of a student, for good in the generations where it is parked.

    The row stays as evidence. Return in how many projections it was given up, 0 if it is not parked.
    """
    async with connection.transaction():
        await _lock_cursors(connection, student_id)
        rows = await connection.fetch(
            """
            update read.parked_events set discarded_at = clock_timestamp()
            where student_id = $1 and position = $2 and discarded_at is null
            returning projection, generation, part
            """,
            student_id,
            position,
        )
        for row in rows:
            await connection.execute(
                "update read.cursors set parked = parked - 1 where (projection, generation, part) = ($1, $2, $3)", *row
            )
    return len(rows)


async def _lock_cursors(connection: Connection, student_id: UUID) -> list[tuple[str, int, int]]:
    """Keep projectors off the parts where the student has parked events, in the order in which they lock them."""
    rows = await connection.fetch(
        """
        select projection, generation, part from read.cursors where (projection, generation, part) in (
            select projection, generation, part from read.parked_events
            where student_id = $1 and discarded_at is null
        ) order by part, projection, generation for update
        """,
        student_id,
    )
    return [tuple(row) for row in rows]


async def _read_parked(connection: Connection, projection: str, generation: int, student_id: UUID) -> list[Record]:
    rows = await connection.fetch(
        f"""
        select {COLUMNS} from events where position in (
            select position from read.parked_events
            where projection = $1 and generation = $2 and student_id = $3 and discarded_at is null
        ) order by position
        """,  # noqa: S608  fixed words
        projection,
        generation,
        student_id,
    )
    return [Record(*row) for row in rows]
