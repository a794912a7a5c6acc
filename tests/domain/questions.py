"""Questions: small ones made for a test, in which only what matters is said."""

from typing import Any
from uuid import UUID

from domain.question import Blank, FillIn, Grading, MultipleChoice, NumberBlank, Option, Question, TextBlank, TrueFalse

SOME_ID = UUID("00000000-0000-4000-8000-00000000000a")


def a_question(grading: Grading, **changed: Any) -> Question:  # noqa: ANN401  any field of a question
    """Make a question that is graded so."""
    fixed = {"id": SOME_ID, "version": 1, "stem": "How many?", "grade": 3, "subject": "math", "topic": "numbers"}
    return Question.model_validate({**fixed, "grading": grading, **changed})


def number(*accepted: str, **rules: Any) -> Question:  # noqa: ANN401  any field of a blank
    """Ask for a number."""
    about = {name: rules.pop(name) for name in ("mistakes", "language") if name in rules}
    return a_question(FillIn(blanks=(NumberBlank(accepted=accepted, **rules),)), **about)


def text(*accepted: str, **rules: Any) -> Question:  # noqa: ANN401  any field of a blank
    """Ask for a word."""
    about = {name: rules.pop(name) for name in ("mistakes", "language") if name in rules}
    return a_question(FillIn(blanks=(TextBlank(accepted=accepted, **rules),)), **about)


def choice(*key: str, options: tuple[Option, ...] | str = "red green blue", **rules: Any) -> Question:  # noqa: ANN401
    """Ask to choose, among options whose ids are a, b, c, …"""
    about = {name: rules.pop(name) for name in ("mistakes", "language") if name in rules}
    if isinstance(options, str):
        options = tuple(Option(id=chr(ord("a") + i), text=one) for i, one in enumerate(options.split()))
    return a_question(MultipleChoice(key=key, **rules), options=options, **about)


def statement(*, key: bool, **about: Any) -> Question:  # noqa: ANN401  any field of a question
    """Ask whether something holds."""
    return a_question(TrueFalse(key=key), **about)


def blank(*blanks: Blank, **rules: Any) -> Question:  # noqa: ANN401  any field of a fill-in
    """Ask to fill in these blanks."""
    return a_question(FillIn(blanks=blanks, **rules))
