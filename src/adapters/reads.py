"""Reads: the rows of the read ledger, a page at a time."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from domain.reads import Read
from eventstore.fence import Reads

PAGE = 10_000


async def read_back(
    rows: Reads, *, of: UUID | None = None, by: UUID | None = None, before: int | None = None, limit: int = PAGE
) -> list[Read]:
    """Return what was read of a student, or by somebody, the last first; `before` goes on behind the id of a row."""
    conditions, values = ["true"], [limit]
    for condition, value in {"student =": of, "actor =": by, "id <": before}.items():
        if value is not None:
            values.append(value)  # type: ignore[arg-type]
            conditions.append(f"{condition} ${len(values)}")
    query = f"select {_COLUMNS} from reads where {' and '.join(conditions)} order by id desc limit $1"  # noqa: S608  fixed words
    return [Read(*row) for row in await rows.fetch(query, *values)]


async def pages(pool: asyncpg.Pool, after: int | None, upto: int | None = None) -> AsyncIterator[list[Read]]:
    """Yield the rows behind an id (None: all there are) and up to another, in order; those are final."""
    query = f"""
        select {_COLUMNS} from reads
        where ($1::bigint is null or id > $1) and ($2::bigint is null or id <= $2) order by id limit $3
        """  # noqa: S608  fixed words
    is_last = False
    while not is_last:
        page = [Read(*row) for row in await pool.fetch(query, after, upto, PAGE)]
        if page:
            yield page
            after = page[-1].id
        is_last = len(page) < PAGE


_COLUMNS = ", ".join(Read._fields)
