"""Serving: a drawn selection as the set that a learner is shown and the log keeps."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256

from domain.events import ServedQuestion
from domain.question import Difficulty, MultipleChoice, Question
from domain.selection import Chosen, shuffled

RATINGS: Mapping[Difficulty, int] = {"easy": -1, "medium": 0, "hard": 1, "challenge": 2}
"""Difficulty in logits that an author's label stands for, until answers say better."""
_PREDICTED = {-1: Fraction(731, 1000), 0: Fraction(1, 2), 1: Fraction(269, 1000), 2: Fraction(119, 1000)}
"""Success of an average learner at that difficulty: 1 / (1 + e^rating), to three digits."""


def serve(chosen: Sequence[Chosen], questions: Sequence[Question], seed: bytes) -> tuple[ServedQuestion, ...]:
    """Return the set in its order, each question's options shuffled by the same seed."""
    return tuple(
        ServedQuestion(
            question_id=question.id,
            version=question.version,
            options=option_order(question, seed),
            skill=one.candidate.skill,
            difficulty=one.candidate.difficulty,
            family=one.candidate.family,
            rating=str(RATINGS[one.candidate.difficulty]),
            predicted=_decimal(_predicted(question, RATINGS[one.candidate.difficulty])),
            probability=str(one.probability),
        )
        for one, question in zip(chosen, questions, strict=True)
    )


def option_order(question: Question, seed: bytes) -> tuple[str, ...]:
    """Return the ids of the options as they are shown: shuffled, but all and none of the above stay last (M7)."""
    ordinary = [option.id for option in question.options if option.role == "ordinary"]
    last = [option.id for option in question.options if option.role != "ordinary"]
    return (*shuffled(ordinary, sha256(seed + question.id.bytes).digest()), *last)


def _predicted(question: Question, rating: int) -> Fraction:
    """Return the success expected, guessing included."""
    guess = Fraction(0)
    if question.type == "true_false":
        guess = Fraction(1, 2)
    elif isinstance(question.grading, MultipleChoice) and not question.grading.several:
        guess = Fraction(1, max(1, len(question.options)))
    return guess + (1 - guess) * _PREDICTED[rating]


def _decimal(value: Fraction) -> str:
    """Return a fraction between 0 and 1 to four digits."""
    return f"0.{int(value * 10_000 + Fraction(1, 2)):04d}"
