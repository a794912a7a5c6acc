"""Examples: answers whose verdict is known, tried when a question is published and on every grader release (T7)."""

import json

from domain.grading.mark import mark
from domain.question import Example, Question


def failing_examples(question: Question) -> list[str]:
    """Return, in words, the examples that the grader does not judge as they say; none where all hold."""
    accepted = [f"accepted: {_told(question, one)}" for one in question.accept if not _is_correct(question, one)]
    return accepted + [f"rejected: {_told(question, one)}" for one in question.reject if _is_correct(question, one)]


def _is_correct(question: Question, example: Example) -> bool:
    return mark(question, example.answer, example.locale).verdict == "correct"


def _told(question: Question, example: Example) -> str:
    found = mark(question, example.answer, example.locale)
    answer = json.dumps(example.answer, ensure_ascii=False)
    return f"{answer} in {example.locale} is graded {found.verdict} by {found.rule}"
