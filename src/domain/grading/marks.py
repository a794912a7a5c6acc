"""Marks: what grading says of an answer: the verdict, the points, how it was read, and the rule that decided."""

from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

VERSION = 1
"""Version of the grader; a higher one is released only with a report of every verdict that it changes."""
LONGEST = 256
"""Code points an answer may have (N1)."""

Verdict = Literal["correct", "incorrect", "ask_again"]
Code = Literal[
    "blank",
    "too_long",
    "unreadable",
    "bad_grouping",
    "division_by_zero",
    "wrong_form",
    "not_simplified",
    "wrong_precision",
    "missing_percent",
    "missing_unit",
    "nothing_chosen",
    "too_many_chosen",
    "wrong_count",
    "unknown_choice",
]
Note = Literal["accents", "spelling", "case", "wrong_unit"]


class Mark(NamedTuple):
    """What an answer is worth, and why."""

    verdict: Verdict
    rule: str
    """Id of the rule that decided, as `N5`."""
    points: str = "0"
    """Exact part of the question's points, from `0` to `1`, as `2/3`; more than none makes the answer correct."""
    read_as: str = ""
    """What was understood, in the learner's own notation."""
    code: Code | None = None
    """Why the answer is asked for again."""
    feedback: str | None = None
    """What the author says to this mistake."""
    note: Note | None = None
    """What was overlooked in the learner's favour."""
    chosen: tuple[str, ...] = ()
    """Ids of the options chosen."""
    expected_count: int | None = None
    """How many answers are asked for, where another number came."""
    blanks: tuple["Mark", ...] = ()
    """Of a question with several blanks, the mark of each."""
    grader: int = VERSION


class Unread(NamedTuple):
    """An answer that could not be read: why, and by which rule."""

    code: Code
    rule: str

    def mark(self, read_as: str = "") -> Mark:
        """Ask for the answer again."""
        return Mark("ask_again", self.rule, read_as=read_as, code=self.code)


BLANK = Unread("blank", "Q10")
TOO_LONG = Unread("too_long", "N1")
UNREADABLE = Unread("unreadable", "N3")
BAD_GROUPING = Unread("bad_grouping", "N4")
DIVISION_BY_ZERO = Unread("division_by_zero", "N3")


def credit(points: str, rule: str, read_as: str) -> Mark:
    """Give part of the points: correct if there are any."""
    return Mark("incorrect" if points == "0" else "correct", rule, points, read_as)


@lru_cache(maxsize=16_384)
def exact(written: str) -> Fraction:
    """Return the value of an exact number among an author's rules."""
    return Fraction(written)


def part(written: str) -> str:
    """Return a credit as the exact part, from 0 to 1, that it is."""
    return str(min(max(exact(written), Fraction(0)), Fraction(1)))
