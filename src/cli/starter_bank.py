"""Starter bank: the questions of our own that a new system begins with: mathematics made by code, English by hand."""

import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files

import asyncpg

from cli.question_import import Line, QuestionImport
from domain.question_line import Labels, QuestionLine
from domain.starter.mathematics import mathematics
from eventstore.log import EventLog

ENGLISH = "starter_english.jsonl"
_NOTHING = Labels()


def starter_lines() -> Iterator[Line]:
    """Yield every question as a line, with its number."""
    made = (json.dumps(line, ensure_ascii=False).encode() for line in mathematics())
    written = (files("cli") / ENGLISH).read_bytes().splitlines()
    yield from enumerate((*made, *written), 1)


def starter_topics() -> Counter[tuple[int, str, str]]:
    """Count the questions of each grade, subject and topic."""
    read = (QuestionLine.model_validate_json(line) for _, line in starter_lines())
    return Counter((line.grade or 0, line.subject or "", line.topic or "") for line in read)


async def import_starter(log: EventLog, pool: asyncpg.Pool) -> int:
    """Publish what the bank lacks of it, and return how many questions that were; raises `Unavailable`."""
    return sum([done.published async for done in QuestionImport(log, pool, _NOTHING).of(starter_lines())])
