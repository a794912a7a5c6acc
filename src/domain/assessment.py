"""Assessment: answers judged against the set that was served, all or none; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from domain.events import GradedAnswer, TypedAnswer, UnreadableAnswer
from domain.grading.mark import mark, settle
from domain.grading.marks import Mark
from domain.question import Question

ROUNDS = 3
"""How often unreadable answers are asked for again before they count as incorrect."""

Answer = str | bool | tuple[str, ...] | None
"""An option's text or id, a text, a boolean for a statement, or a list for several picks or blanks."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """The answers that could not be read; of the others nothing is said."""

    answers: tuple[UnreadableAnswer, ...]


@dataclass(frozen=True, slots=True)
class Graded:
    """A whole set judged."""

    answers: tuple[GradedAnswer, ...]
    typed: tuple[TypedAnswer, ...]
    score: int
    """Hundredths of a point, rounded half up."""
    correct: int


def judge(
    questions: Sequence[Question], answers: Mapping[UUID, Answer], locale: str, *, asks_again: bool
) -> AskedAgain | Graded:
    """Judge an answer to each served question, a missing one being blank.

    Without `asks_again`, what cannot be read is incorrect.
    """
    marks = [(question, mark(question, answers.get(question.id), locale)) for question in questions]
    unreadable = tuple(
        UnreadableAnswer(question_id=question.id, code=given.code)
        for question, given in marks
        if given.verdict == "ask_again" and given.code
    )
    if unreadable and asks_again:
        return AskedAgain(unreadable)
    settled = [(question, settle(question, given)) for question, given in marks]
    points = sum((Fraction(given.points) for _, given in settled), Fraction(0))
    return Graded(
        answers=tuple(_graded(question, given) for question, given in settled),
        typed=tuple(
            TypedAnswer(question_id=question.id, answer=answers.get(question.id), read_as=given.read_as)
            for question, given in settled
        ),
        score=int(points * 10_000 / len(questions) + Fraction(1, 2)),
        correct=sum(given.verdict == "correct" for _, given in settled),
    )


def _graded(question: Question, given: Mark) -> GradedAnswer:
    return GradedAnswer(
        question_id=question.id,
        version=question.version,
        verdict=given.verdict,
        points=given.points,
        rule=given.rule,
        code=given.code,
        chosen=given.chosen,
    )
