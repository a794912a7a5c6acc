"""Grading: verdicts a second on one core, over what children type into the questions of a school day.

Half are numbers, plain or grouped or fractions or percent, right and wrong and unreadable, in English and German; the
rest are words, choices and statements. Some questions have a tolerance, a unit, forms or expected mistakes.
"""

import time
from pstats import Stats
from random import Random
from statistics import median
from uuid import UUID

from benchmarks.figure import ROUNDS, Figure, profiled
from benchmarks.machine import Machine
from domain.grading.mark import mark
from domain.question import (
    Absolute,
    Blank,
    FillIn,
    Grading,
    Mistake,
    MultipleChoice,
    NumberBlank,
    Option,
    Question,
    TextBlank,
    TrueFalse,
    Unit,
    Units,
)

ANSWERS = 20_000
_CM = Units(mode="convert", expected="cm", table=(Unit(name="cm", factor="0.01"), Unit(name="m")))
_WORDS = ("evaporation", "photosynthesis", "Paris", "their", "caf\u00e9", "triangle")
_OPTIONS = tuple(Option(id=letter, text=f"What {letter} says, in a few words") for letter in "abcd")
_Answered = tuple[Question, str | bool, str]


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Verdicts a second; a turn takes every answer once, whatever the seconds."""
    del machine, seconds
    day = school_day()
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        _grade(day)
        found.append(len(day) / (time.perf_counter() - began))
    return [Figure(name="grading", value=median(found), unit="verdicts/s")]


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile one turn."""
    del machine, seconds
    return await profiled(_grade_later(school_day()))


def school_day(answers: int = ANSWERS, seed: int = 5) -> list[_Answered]:
    """Make questions, each with an answer and the locale of who gave it."""
    random = Random(seed)
    return [_answered(random) for _ in range(answers)]


def _grade(day: list[_Answered]) -> None:
    for question, answer, locale in day:
        mark(question, answer, locale)


async def _grade_later(day: list[_Answered]) -> None:
    _grade(day)


def _answered(random: Random) -> _Answered:
    kind = random.choices(["number", "text", "choice", "statement"], [10, 4, 4, 2])[0]
    if kind == "number":
        return _number(random)
    if kind == "text":
        word = random.choice(_WORDS)
        asked = TextBlank(accepted=(word,), spelling_tolerance=random.random() < 0.5)
        return _question(_fill_in(asked)), random.choice([word, word.upper(), f"{word}.", "cafe", "dog"]), "en"
    if kind == "choice":
        chosen = random.choice(["a", "b", _OPTIONS[2].text])
        return _question(MultipleChoice(key=("b",)), options=_OPTIONS), chosen, "en"
    said: list[str | bool] = [True, False, "true", "No"]
    return _question(TrueFalse(key=True)), random.choice(said), "en"


def _number(random: Random) -> _Answered:
    key = random.choice([random.randrange(100), random.randrange(1000, 100_000)])
    fractions = ["3/4", ".75", "75%", "6/8", "\u00be", "1 1/2", "0.7"]
    match random.randrange(6):
        case 0:
            return _question(_fill_in(NumberBlank(accepted=("3/4",)))), random.choice(fractions), "en"
        case 1:
            blank = NumberBlank(accepted=(f"{key}.5",), tolerance=Absolute(amount="0.5"))
            return _question(_fill_in(blank)), f"{key},4", "de"
        case 2:
            typed = random.choice([f"{key} cm", f"{key / 100} m", f"{key}"])
            return _question(_fill_in(NumberBlank(accepted=(str(key),), units=_CM))), typed, "en"
        case 3:
            mistakes = (Mistake(answer=str(key + 10), feedback="You forgot to carry."),)
            blank = NumberBlank(accepted=(str(key),), forms=("integer",))
            return _question(_fill_in(blank), mistakes=mistakes), str(key + random.choice([0, 1, 10])), "en"
        case _:
            typed = random.choice([f"{key}", f"{key:,}", f" {key}", f"{key}.0", f"{key + 1}", "I don't know"])
            return _question(_fill_in(NumberBlank(accepted=(str(key),)))), typed, "en"


def _fill_in(blank: Blank) -> FillIn:
    return FillIn(blanks=(blank,))


def _question(grading: Grading, options: tuple[Option, ...] = (), mistakes: tuple[Mistake, ...] = ()) -> Question:
    return Question(
        id=UUID(int=5),
        version=1,
        stem="What is it?",
        grading=grading,
        options=options,
        mistakes=mistakes,
        grade=4,
        subject="math",
        topic="numbers",
    )
