"""Importing: questions a second from the lines of a file into the log, examples derived and tried, all durable."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pstats import Stats
from statistics import median

from benchmarks.figure import ROUNDS, Figure, on_uvloop, profiled
from benchmarks.log import OpenLog, open_log
from benchmarks.machine import Machine
from cli.question_import import Line, QuestionImport
from domain.question_line import Labels

LINES = 4_000
_PLACE = Labels(4, "Mathematics", "Benchmarks")


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Questions a second; a turn takes a file of its own, whatever the seconds."""
    del seconds
    return await on_uvloop(_measure(machine))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile one turn."""
    del seconds
    return await on_uvloop(_profile(machine))


async def _measure(machine: Machine) -> list[Figure]:
    found = []
    async with _log(machine) as store:
        for turn in range(ROUNDS):
            lines = _file(turn)
            began = time.perf_counter()
            await _import(store, lines)
            found.append(LINES / (time.perf_counter() - began))
    return [Figure(name="import_questions", value=median(found), unit="questions/s")]


async def _profile(machine: Machine) -> Stats:
    async with _log(machine) as store:
        return await profiled(_import(store, _file(0)))


@asynccontextmanager
async def _log(machine: Machine) -> AsyncIterator[OpenLog]:
    dsn = await machine.fresh_database()
    async with open_log(dsn) as store:
        yield store
    await machine.drop_database(dsn)


async def _import(store: OpenLog, lines: list[Line]) -> None:
    async for done in QuestionImport(store.log, store.pool, _PLACE).of(lines):
        if done.published != done.lines:
            raise RuntimeError(done.bad)


def _file(turn: int) -> list[Line]:
    """Make lines of which three in four ask for a number and one is multiple choice."""
    lines = []
    for number in range(1, LINES + 1):
        sum_of = number + turn + 7
        line: dict[str, object] = {
            "id": f"benchmark:{turn}-{number}",
            "type": "fill_in_blank" if number % 4 else "multiple_choice",
            "question": f"A shelf has {number} books, and {turn} children add {turn + 7}. How many are there now?",
            "correct_answer": f"{sum_of:,}",
            "explanation": f"{number} + {turn + 7} = {sum_of}",
        }
        if number % 4 == 0:
            line["options"] = [f"{one:,}" for one in (sum_of, sum_of + 1, sum_of + 10, sum_of - 1)]
        lines.append((number, json.dumps(line).encode()))
    return lines
