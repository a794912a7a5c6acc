"""Question import: the lines of a file published into the bank, many at once; stopped anywhere, it can go on.

What the bank has already is left alone, so that a second run adds only what is new or has changed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

import asyncpg

from commands.publish_question import PublishQuestion, publish_question
from domain.banked_question import contents_hash
from domain.cause import OPERATOR, Cause
from domain.defects import Defect
from domain.errors import QuestionRefused, QuestionUnchanged
from domain.question import Question
from domain.question_line import Labels, read_line, reasons_of
from eventstore.log import EventLog
from projections.published_questions import read_published

BATCH = 512
"""Lines that are under way at once: several commits of the log."""

Line = tuple[int, bytes]
"""A line and its number."""


class BadLine(NamedTuple):
    """A line that was left out, and why."""

    number: int
    reasons: list[Defect]


class Imported(NamedTuple):
    """What came of some lines."""

    lines: int
    published: int
    changed: int
    """Questions that the bank had, published as their next version; they count as published as well."""
    bad: list[BadLine]


class QuestionImport:
    """One run of an import."""

    def __init__(self, log: EventLog, pool: asyncpg.Pool, labels: Labels) -> None:
        self._log = log
        self._pool = pool
        self._labels = labels
        self._run = uuid4()
        self._seen: set[int] = set()
        """Of each id in the file, the first eight bytes."""

    async def of(self, lines: Iterable[Line]) -> AsyncIterator[Imported]:
        """Publish the lines, and yield what came of each batch; raises `Unavailable` where the log is away."""
        source = iter(lines)
        while batch := list(islice(source, BATCH)):
            yield await self._import(batch)

    async def _import(self, batch: list[Line]) -> Imported:
        bad: list[BadLine] = []
        read = dict(self._read(batch, bad))
        known = await read_published(self._pool, [question.id for question in read.values()])
        new = {
            number: question
            for number, question in read.items()
            if question.id not in known or contents_hash(known[question.id]) != contents_hash(question)
        }
        done = await asyncio.gather(*(self._publish(*one, known, bad) for one in new.items()))
        changed = sum(
            published and question.id in known for published, question in zip(done, new.values(), strict=True)
        )
        return Imported(len(batch), sum(done), changed, sorted(bad))

    def _read(self, batch: list[Line], bad: list[BadLine]) -> Iterator[tuple[int, Question]]:
        for number, line in batch:
            try:
                question = read_line(line, self._labels)
            except QuestionRefused as refused:
                bad.append(BadLine(number, reasons_of(refused)))
                continue
            beginning = int.from_bytes(question.id.bytes[:8], "big")
            if beginning in self._seen:
                bad.append(BadLine(number, [Defect("repeated_id", "A line before this one has the same id.")]))
            else:
                self._seen.add(beginning)
                yield number, question

    async def _publish(self, number: int, question: Question, known: dict[UUID, Question], bad: list[BadLine]) -> bool:
        version = known[question.id].version + 1 if question.id in known else 1
        try:
            receipt = await publish_question(
                self._log, PublishQuestion(cause=self._cause(question, version), question=question)
            )
        except QuestionUnchanged:  # somebody else imports the same
            return False
        except QuestionRefused as refused:
            bad.append(BadLine(number, reasons_of(refused)))
            return False
        return not receipt.repeated

    def _cause(self, question: Question, version: int) -> Cause:
        """Name the command by what it does, so that it is the same one whoever sends it and however often."""
        contents = contents_hash(question)
        command_id = uuid5(question.id, f"{version} {contents.hex()}")
        return Cause(
            command_id=command_id,
            operation="PublishQuestion",
            actor=OPERATOR,
            occurred_at=datetime.now(UTC),
            body=contents,
            correlation_id=self._run,
            causation_id=command_id,
        )
