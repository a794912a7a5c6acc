"""Filling: the rows of a generation from the log, folded in memory over many pages and written seldom.

Memory is bounded whatever the log's length, and what was written with the cursors need not be folded again: filling
can be stopped anywhere. What cannot be folded is parked for its own student, as a projector does.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import asyncpg

from domain.errors import LogBroken
from eventstore.codec import decode
from eventstore.record import PARTS, Record
from projections.projection import Projection, Seen
from workers.generations import Cursors, lock_cursors, read_cursors
from workers.parking import Poison, is_poison, make_way, park, read_parked_students, student_of, write_apart

PAGE = 5000
"""Positions of the log that are read at once."""
FLUSH = 100_000
"""Events that are folded in memory before what they change is written."""

Goal = Mapping[int, int]
"""Up to which position each part is to be filled."""

_PAGE = """
select
    format, position, part, case when subject is null then stream end, version, event_id, type, schema, subject,
    null, null, null, null, null, null, null, occurred_at, recorded_at, data, sealed, null
from events where position > $1 and position <= $2 and type = any($3) and part between $4 and $5 order by position
"""
"""Every column that a fold looks at; null stands for the others, in the order of `Record`."""


class Filling:
    """One generation being filled, through one connection that reads and another that writes."""

    def __init__(
        self,
        reading: asyncpg.Connection,
        writing: asyncpg.Connection,
        projection: Projection,
        generation: int,
        *,
        flush: int = FLUSH,
    ) -> None:
        self._pages = _Pages(reading, projection)
        self._writing = writing
        self._projection = projection
        self._generation = generation
        self._flush = flush

    async def fill(self, goal: Goal) -> AsyncGenerator[int]:
        """Fold each part up to its goal, in one pass over the log; yield after each transaction how far it has come.

        Raises `LogBroken` where the log has a hole.
        """
        end, apart_until = max(goal.values()), 0
        self._pages.parts = min(goal), max(goal)
        try:
            while (after := _behind(cursors := await self._read_cursors(goal), goal)) < end:
                is_apart = after < apart_until or any(cursor.parked for cursor in cursors.values())
                write = self._write_apart if is_apart else self._write_far
                try:
                    yield await write(after, end, cursors, goal)
                except Exception as error:
                    if isinstance(error, _CursorsMoved):
                        continue
                    if is_apart or isinstance(error, LogBroken) or not is_poison(error):
                        raise
                    apart_until = after + self._flush
        finally:
            await self._pages.close()

    async def attach(self, live: int, *, within: int = PAGE) -> bool:
        """Fold what is left up to exactly where the live generation stands, and let projectors feed both from there.

        Projectors wait meanwhile, so it is refused, with False, while more than `within` positions are left.
        """
        name, own = self._projection.name, self._generation
        async with self._writing.transaction():
            cursors = await lock_cursors(self._writing, name, [live, own])
            goal = {part: cursor.position for part, cursor in cursors[live].items()}
            after, end = _behind(cursors[own], goal), max(goal.values())
            if end - after > within:
                return False
            rows = await self._writing.fetch(_PAGE, after, end, list(self._projection.handles), 0, PARTS - 1)
            await self._fold_apart(_wanted(rows, cursors[own], goal), cursors[own], goal, end)
            await self._writing.execute(
                "update read.generations set state = 'fed' where projection = $1 and generation = $2", name, own
            )
        return True

    async def _read_cursors(self, goal: Goal) -> Cursors:
        cursors = await read_cursors(self._writing, self._projection.name, [self._generation])
        return {part: cursors[self._generation][part] for part in goal}

    async def _write_far(self, after: int, end: int, cursors: Cursors, goal: Goal) -> int:
        """Fold page upon page until enough has changed, then write it at once; return the position reached."""
        changes: Any = None
        applied = Counter[int]()
        reached = after
        while reached < end and applied.total() < self._flush:
            rows = await self._pages.read(reached, end)
            records = _wanted(rows, cursors, goal)
            changes = self._projection.fold([Seen(decode(record), record) for record in records], changes)
            applied.update([record.part for record in records])
            reached = min(reached + PAGE, end)
        async with self._writing.transaction():
            await self._check_cursors(cursors)
            if any(cursor.position for cursor in cursors.values()):
                await self._projection.write(self._writing, changes, self._generation)
            else:
                await self._copy(changes)
            await self._advance(cursors, goal, reached, applied, Counter())
        return reached

    async def _copy(self, changes: Any) -> None:  # noqa: ANN401  a read model's own
        """Write the first rows there are, which need not be added to any."""
        for table, rows in self._projection.rows(changes).items():
            await self._writing.copy_records_to_table(f"{table}_g{self._generation}", schema_name="read", records=rows)

    async def _write_apart(self, after: int, end: int, cursors: Cursors, goal: Goal) -> int:
        """Fold and write one page, parking what cannot be folded; return the position reached."""
        reached = min(after + PAGE, end)
        records = _wanted(await self._pages.read(after, end), cursors, goal)
        async with self._writing.transaction():
            await self._check_cursors(cursors)
            await self._fold_apart(records, cursors, goal, reached)
        return reached

    async def _fold_apart(self, records: Sequence[Record], cursors: Cursors, goal: Goal, reached: int) -> None:
        """Fold and write a page, and park what cannot be folded, with what follows it of the same student."""
        key = self._projection.name, self._generation
        students = {student_of(record) for record in records}
        left, _ = await make_way(self._writing, *key, records)
        waiting = (await read_parked_students(self._writing, students)).get(key, set())
        flowing = [record for record in left if student_of(record) not in waiting]
        poison = [Poison([record], "") for record in left if student_of(record) in waiting]
        if flowing:
            poison += await write_apart(self._writing, self._projection, self._generation, flowing)
        if poison:
            await park(self._writing, *key, poison)
        parked = Counter(record.part for one in poison for record in one.records)
        await self._advance(cursors, goal, reached, Counter(record.part for record in records) - parked, parked)

    async def _check_cursors(self, cursors: Cursors) -> None:
        """Raise unless the cursors are still where folding began: a process that died late may have moved them."""
        locked = await lock_cursors(self._writing, self._projection.name, [self._generation])
        if any(locked[self._generation][part].position != cursor.position for part, cursor in cursors.items()):
            raise _CursorsMoved

    async def _advance(
        self, cursors: Cursors, goal: Goal, reached: int, applied: Counter[int], parked: Counter[int]
    ) -> None:
        """Move each part's cursor to where the pass has come, or to its goal if that is nearer."""
        ends = {part: min(reached, goal[part]) for part in goal}
        parts = [part for part, end in ends.items() if end > cursors[part].position]
        await self._writing.execute(
            """
            update read.cursors as c
            set position = moved.position, applied = c.applied + moved.applied, parked = c.parked + moved.parked,
                event_id = (select event_id from events where events.position = moved.position)
            from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::int[])
                as moved(part, position, applied, parked)
            where projection = $1 and generation = $2 and c.part = moved.part
            """,
            self._projection.name,
            self._generation,
            parts,
            [ends[part] for part in parts],
            [applied[part] for part in parts],
            [parked[part] for part in parts],
        )


class _CursorsMoved(Exception):
    """Somebody else has filled the same parts meanwhile; what was folded here is dropped."""


class _Pages:
    """Reads the log page by page, the next one while the one before is folded."""

    def __init__(self, connection: asyncpg.Connection, projection: Projection) -> None:
        self._connection = connection
        self._types = list(projection.handles)
        self.parts = 0, PARTS - 1
        """The first and the last part that are looked at."""
        self._coming: tuple[tuple[int, int], asyncio.Task[list[asyncpg.Record]]] | None = None

    async def read(self, after: int, end: int) -> list[asyncpg.Record]:
        """Return what is to be folded of the next page, which ends with `end` at the latest."""
        page = after, min(after + PAGE, end)
        if self._coming and self._coming[0] != page:
            await self.close()
        _, coming = self._coming or self._begin(page)
        self._coming = None
        rows = await coming
        if page[1] < end:
            self._coming = self._begin((page[1], min(page[1] + PAGE, end)))
        return rows

    async def close(self) -> None:
        """Stop what is still being read."""
        if self._coming:
            self._coming[1].cancel()
            await asyncio.wait({self._coming[1]})
            self._coming = None

    def _begin(self, page: tuple[int, int]) -> tuple[tuple[int, int], asyncio.Task[list[asyncpg.Record]]]:
        return page, asyncio.create_task(self._fetch(*page))

    async def _fetch(self, after: int, end: int) -> list[asyncpg.Record]:
        found = await self._connection.fetchval(
            "select count(*) from events where position > $1 and position <= $2", after, end
        )
        if found != end - after:
            raise LogBroken(after=after)
        return await self._connection.fetch(_PAGE, after, end, self._types, *self.parts)


def _behind(cursors: Cursors, goal: Goal) -> int:
    """Return where the part that is furthest behind its goal stands; where none is, the furthest goal."""
    behind = (cursors[part].position for part, end in goal.items() if cursors[part].position < end)
    return min(behind, default=max(goal.values()))


def _wanted(rows: Sequence[asyncpg.Record], cursors: Cursors, goal: Goal) -> list[Record]:
    """Return the events behind the cursor of their part and up to its goal."""
    records = [Record(*row) for row in rows]
    if not records or (
        max(cursors[part].position for part in goal) < records[0].position
        and records[-1].position <= min(goal.values())
    ):
        return records
    bounds = {part: (cursors[part].position, end) for part, end in goal.items()}
    return [r for r in records if bounds[r.part][0] < r.position <= bounds[r.part][1]]
