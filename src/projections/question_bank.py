"""Question bank: every question as it was last published, one row each, for the lists of authors.

Whoever selects questions holds `projections.bank` instead, which is folded from the same events.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import ClassVar
from uuid import UUID

from domain.events import QuestionPublished
from projections.projection import Connection, Rows, Seen

Row = tuple[object, ...]
Changes = dict[UUID, Row]
"""By question."""


class QuestionBank:
    """One row a question."""

    name = "question_bank"
    category = QuestionPublished.CATEGORY
    tables = ("question_bank",)
    handles: ClassVar[frozenset[str]] = frozenset({QuestionPublished.TOPIC})

    def fold(self, events: Iterable[Seen], onto: Changes | None = None) -> Changes:
        """Return the row of each question that was published, with its latest version."""
        changes: Changes = {} if onto is None else onto
        for seen in events:
            if isinstance(seen.event, QuestionPublished):
                changes[seen.event.originator_id] = _row(seen.event, seen)
        return changes

    def rows(self, changes: Changes) -> dict[str, list[Row]]:
        """Return the rows."""
        return {"question_bank": list(changes.values())}

    async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
        """Put the rows in the place of those of the versions before."""
        if changes:
            await connection.execute(_upsert(generation), *zip(*changes.values(), strict=True))

    def cache_key(self, person_id: UUID) -> str | None:
        """Return nothing: no row is about a person."""

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return nothing."""


def _row(event: QuestionPublished, seen: Seen) -> Row:
    question = event.question
    return (
        question.id,
        question.version,
        seen.record.position,
        "published",
        question.type,
        question.grade,
        question.subject,
        question.topic,
        question.skill,
        question.difficulty,
        question.family,
        question.source,
        seen.record.recorded_at,
        question.model_dump_json(),
    )


@cache
def _upsert(generation: int) -> str:
    return _UPSERT.format(generation=generation)


_UPSERT = """
insert into read.question_bank_g{generation}
select * from unnest(
    $1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::text[]
)
on conflict (id) do update set
    version = excluded.version, position = excluded.position, status = excluded.status, type = excluded.type,
    grade = excluded.grade, subject = excluded.subject, topic = excluded.topic, skill = excluded.skill,
    difficulty = excluded.difficulty, family = excluded.family, source = excluded.source,
    published_at = excluded.published_at, content = excluded.content
"""
