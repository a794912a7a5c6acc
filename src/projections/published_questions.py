"""Published questions: the latest version of each, read from the log; some of them, or the whole bank page by page."""

from collections.abc import AsyncIterator, Collection, Sequence
from uuid import UUID

import asyncpg

from domain.events import QuestionPublished
from domain.question import Question
from eventstore.codec import decode, stream_of
from eventstore.record import COLUMNS, Record

PAGE = 500
"""Questions that are read at once."""

_SOME = f"""
select distinct on (stream) {COLUMNS} from events
where stream = any($1) and type = 'QuestionPublished' order by stream, version desc
"""  # noqa: S608  fixed words
_ALL = f"""
select {COLUMNS} from events
where stream like 'question-%' and type = 'QuestionPublished' and position > $1 and position <= $2 and not exists (
    select from events as later
    where later.stream = events.stream and later.version > events.version and later.type = 'QuestionPublished'
        and later.position <= $2
)
order by position limit $3
"""  # noqa: S608  fixed words


async def read_published(pool: asyncpg.Pool, ids: Collection[UUID]) -> dict[UUID, Question]:
    """Return the latest version of these questions, of those that the bank has."""
    rows = await pool.fetch(_SOME, [stream_of(QuestionPublished.CATEGORY, one) for one in ids])
    return {question.id: question for question in _questions(rows)}


async def count_published(pool: asyncpg.Pool, up_to: int) -> int:
    """Return how many questions the bank had at a position of the log."""
    return await pool.fetchval(  # type: ignore[no-any-return]
        """
        select count(distinct stream) from events
        where stream like 'question-%' and type = 'QuestionPublished' and position <= $1
        """,
        up_to,
    )


async def published_pages(pool: asyncpg.Pool, up_to: int) -> AsyncIterator[list[Question]]:
    """Yield all questions as they were at a position of the log, in the order in which they were last published."""
    after = 0
    while rows := await pool.fetch(_ALL, after, up_to, PAGE):
        yield _questions(rows)
        after = rows[-1]["position"]


def _questions(rows: Sequence[asyncpg.Record]) -> list[Question]:
    events = [decode(Record(*row)) for row in rows]
    return [event.question for event in events if isinstance(event, QuestionPublished)]
