"""Fact: something to know, with its answer, its reason and the slips people make, and the questions that ask for it.

A template makes a fact of each of its cases. Which cases are asked, and how, is drawn by a seeded shuffle, so that the
same code makes the same questions with the same ids everywhere and for ever.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, cast

from domain.families import template as words_of
from domain.grading.marks import Unread
from domain.grading.numbers import read_key
from domain.question import Difficulty, QuestionType
from domain.selection import shuffled

SUBJECT = "Mathematics"
Case = tuple[object, ...]
Line = dict[str, object]
"""A question in the shape of `domain.question_line`."""

_ALL: tuple[QuestionType, ...] = ("fill_in_blank", "multiple_choice", "true_false")
_DISTRACTORS = 3
_STORY = 8
"""Words of a stem whose variants are alike although their numbers differ."""
_STEPS: tuple[tuple[int, Difficulty], ...] = ((35, "easy"), (70, "medium"), (90, "hard"), (100, "challenge"))
"""Of a hundred cases in the order of their size, up to which one they are easy, medium, …"""
_RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


class Fact(NamedTuple):
    """What a case comes to. In its texts ` * `, ` - `, `-3` and `10^3` stand for the signs of print."""

    question: str
    key: str
    why: str
    """The explanation: a sentence or two, right whether the child was right or not."""
    slips: Mapping[str, str]
    """Typical wrong answers, the most typical first, and what to say to each; nothing where there is nothing to say."""
    claim: str = ""
    """A statement with `{}` for the answer; none: the fact is not asked as true or false."""
    blank: Line | None = None
    """How a typed answer is judged, where its key does not say it."""
    family: str | None = None
    """What it shares with its near-duplicates; None: the same numbers in any order."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """Questions on one skill, for one grade."""

    name: str
    grade: int
    topic: str
    skill: str
    cases: Sequence[Case]
    """What the facts are made of."""
    fact: Callable[..., Fact]
    many: int = 16
    """How many of the cases are asked."""
    types: Sequence[QuestionType] = field(default=_ALL)


def lines_of(template: Template) -> Iterator[Line]:
    """Yield the questions of a template: the types take turns, and larger numbers are harder."""
    seed = f"{template.grade}:{template.name}".encode()
    drawn = shuffled(sorted(set(template.cases), key=str), seed)[: template.many]
    for at, case in enumerate(sorted(drawn, key=_size)):
        difficulty = next(name for most, name in _STEPS if 100 * at < most * len(drawn))
        type_ = template.types[at % len(template.types)]
        yield _line(template, case, template.fact(*case), type_, difficulty)


def number(key: str, **rules: object) -> Line:
    """Return a blank for a number; one that no decimal is exactly has to be written as a fraction."""
    value = value_of(key)
    denominator = 1 if value is None else value.denominator
    while not denominator % 2 or not denominator % 5:
        denominator //= 2 if not denominator % 2 else 5
    forms = {"forms": ["proper", "improper", "mixed"]} if denominator > 1 else {}
    return {"kind": "number", "accepted": [key], **forms, **rules}


def value_of(text: str) -> Fraction | None:
    """Return what a number is worth; None for words."""
    read = read_key(text)
    return None if isinstance(read, Unread) else read.value


def _size(case: Case) -> tuple[int, str]:
    return sum(abs(part) for part in case if isinstance(part, int)), str(case)


def _line(template: Template, case: Case, fact: Fact, type_: QuestionType, difficulty: Difficulty) -> Line:
    numbers = "-".join(map(str, case))
    line: Line = {
        "id": f"starter:{template.grade}:{template.name}:{numbers}",
        "type": type_,
        "question": typeset(fact.question),
        "explanation": typeset(fact.why),
        "difficulty": difficulty,
        "grade": template.grade,
        "subject": SUBJECT,
        "topic": template.topic,
        "skill": template.skill,
    }
    slips = _apart(fact)
    if type_ == "fill_in_blank":
        line |= _typed(fact, slips)
    elif type_ == "multiple_choice":
        line |= _chosen(fact, slips, str(line["id"]))
    else:
        line |= _judged(fact, slips, str(line["id"]))
    return line | {"family": _family(template, case, fact, str(line["question"]))}


def _family(template: Template, case: Case, fact: Fact, stem: str) -> str:
    """Name what the question is a near-duplicate of: what tells a story, of the whole template."""
    if len(words_of(stem)) >= _STORY:
        return f"starter:{template.name}"
    own = fact.family or "-".join(sorted(map(str, case)))
    return f"starter:{template.grade}:{template.name}:{own}"


def _apart(fact: Fact) -> dict[str, str]:
    """Return the slips that are neither right nor the same as another one."""
    seen: set[Fraction | str] = {_same(fact.key)}
    found: dict[str, str] = {}
    for wrong, says in fact.slips.items():
        if _same(wrong) not in seen:
            seen.add(_same(wrong))
            found[wrong] = says
    return found


def _same(answer: str) -> Fraction | str:
    value = value_of(answer)
    return answer.casefold() if value is None else value


def _typed(fact: Fact, slips: Mapping[str, str]) -> Line:
    blank = fact.blank or number(fact.key)
    mistakes = [{"answer": wrong, "feedback": typeset(says)} for wrong, says in slips.items() if says]
    return {
        "correct_answer": fact.key,
        "grading": {"type": "fill_in_blank", "blanks": [blank]},
        "mistakes": mistakes,
        "reject": [{"answer": wrong} for wrong in slips],
    }


def _chosen(fact: Fact, slips: Mapping[str, str], seed: str) -> Line:
    wrong = list(slips)[:_DISTRACTORS]
    value = value_of(fact.key)
    if value is not None and value.denominator == 1:
        taken = {_same(one) for one in (fact.key, *wrong)}
        near = [
            value + step for step in (1, -1, 2, 10) if value + step not in taken and (value < 0 or value + step >= 0)
        ]
        wrong += [str(one) for one in near][: _DISTRACTORS - len(wrong)]
    texts = shuffled([fact.key, *wrong], seed.encode())
    ids = {text: "abcd"[at] for at, text in enumerate(texts)}
    return {
        "options": [typeset(text) for text in texts],
        "option_ids": list(ids.values()),
        "correct_answer": ids[fact.key],
        "mistakes": [{"answer": ids[one], "feedback": typeset(slips[one])} for one in wrong if slips.get(one)],
    }


def _judged(fact: Fact, slips: Mapping[str, str], seed: str) -> Line:
    holds = shuffled([True, False], seed.encode())[0]
    wrong, says = next(iter(slips.items()))
    return {
        "question": typeset(fact.claim.format(fact.key if holds else wrong)),
        "correct_answer": holds,
        "mistakes": [{"answer": "true", "feedback": typeset(says)}] if says and not holds else [],
    }


def typeset(text: str) -> str:
    """Return a text with the signs of print."""
    shown = text.replace(" * ", " \u00d7 ").replace(" - ", " \u2212 ")
    shown = re.sub(r"(?<![\w)^])-(?=[0-9a-z])", "\u2212", shown)
    return re.sub(r"\^(-?[0-9]+)", lambda found: cast("str", found[1]).translate(_RAISED), shown)
