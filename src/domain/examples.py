"""Examples: answers whose verdict is known, tried when a question is published and on every grader release (T7).

Those that follow from the key: the key in every form that is allowed, and what is near it and wrong: the other options,
the numbers beside it.
"""

import json
from collections.abc import Iterator
from fractions import Fraction

from domain.grading.mark import mark
from domain.grading.marks import Unread
from domain.grading.number_blanks import is_allowed, key_value
from domain.grading.numbers import read_key
from domain.grading.several import read_ratio, read_time
from domain.grading.wording import fold_case, tidy
from domain.grading.writing import renderings, write_number
from domain.question import (
    Blank,
    Example,
    FillIn,
    Form,
    ListBlank,
    MultipleChoice,
    NumberBlank,
    Question,
    TextBlank,
    TrueFalse,
)

_GROUPED = 1000


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


def with_examples(question: Question) -> Question:
    """Return the question with the examples that follow from its key, before those that it has already."""
    accept = dict.fromkeys((*map(_example, _right(question)), *question.accept))
    reject = dict.fromkeys((*map(_example, _wrong(question)), *question.reject))
    return question.model_copy(update={"accept": tuple(accept), "reject": tuple(reject)})


def _example(answer: str | bool | tuple[str, ...]) -> Example:  # noqa: FBT001  an answer
    return Example(answer=answer)


def _right(question: Question) -> Iterator[str | bool | tuple[str, ...]]:
    grading = question.grading
    if isinstance(grading, MultipleChoice):
        yield from [grading.key] if grading.several else grading.key
    elif isinstance(grading, TrueFalse):
        yield grading.key
        yield from ("true", "yes", "t", "1") if grading.key else ("false", "no", "f", "0")
    elif len(grading.blanks) == 1:
        yield from _right_in(question, grading.blanks[0])
    else:
        yield _first_keys(grading)


def _wrong(question: Question) -> Iterator[str | bool | tuple[str, ...]]:
    grading = question.grading
    if isinstance(grading, MultipleChoice):
        others = [option.id for option in question.options if option.id not in grading.key]
        if not grading.several:
            yield from others
        elif grading.credit == "all_or_nothing":
            yield from (tuple(sorted((*grading.key[1:], other))) for other in others)
    elif isinstance(grading, TrueFalse):
        yield not grading.key
        yield from ("false", "no", "maybe") if grading.key else ("true", "yes", "maybe")
    elif len(grading.blanks) == 1:
        yield from _wrong_in(grading.blanks[0])
    elif grading.credit == "all_or_nothing":
        keys = _first_keys(grading)
        for at, blank in enumerate(grading.blanks):
            yield from ((*keys[:at], wrong, *keys[at + 1 :]) for wrong in list(_wrong_in(blank))[:1])


def _first_keys(grading: FillIn) -> tuple[str, ...]:
    return tuple(_first_key(blank) for blank in grading.blanks)


def _first_key(blank: Blank) -> str:
    if isinstance(blank, ListBlank):
        return "; ".join(_first_key(item) for item in blank.items)
    return next(iter(_plain_keys(blank)), "")


def _plain_keys(blank: Blank) -> Iterator[str]:
    """Yield the keys as they are typed, of the blanks whose keys can be typed as they are."""
    if isinstance(blank, ListBlank):
        yield _first_key(blank)
    elif isinstance(blank, NumberBlank):
        unit = "%" if blank.asks_percent else f" {blank.units.expected}" if blank.units else ""
        yield from (f"{key}{unit}" for key in blank.accepted if _may_be_typed(blank, key))
    elif not (isinstance(blank, TextBlank) and blank.wildcards):
        yield from blank.accepted


def _may_be_typed(blank: NumberBlank, key: str) -> bool:
    """Tell whether a key is written as an answer has to be."""
    number = read_key(key, ratio="ratio" in blank.forms)
    return (
        not isinstance(number, Unread)
        and blank.precision is None
        and is_allowed(blank, number)
        and (number.simplest or blank.simplify == "optional")
    )


def _right_in(question: Question, blank: Blank) -> Iterator[str]:
    yield from _plain_keys(blank)
    if isinstance(blank, NumberBlank):
        yield from renderings(question)
        for value in _exact_values(blank):
            if abs(value) >= _GROUPED and value.denominator == 1 and not blank.asks_percent and not blank.forms:
                yield f"{value.numerator:,}"
    elif isinstance(blank, TextBlank) and not blank.case_sensitive and not blank.wildcards:
        yield from (key.upper() for key in blank.accepted if fold_case(key.upper()) == fold_case(key))


def _wrong_in(blank: Blank) -> Iterator[str]:
    if isinstance(blank, NumberBlank):
        yield from _neighbours(blank)
    elif isinstance(blank, TextBlank):
        if not (blank.wildcards or blank.spelling_tolerance):
            known = {fold_case(tidy(key)) for key in blank.accepted}
            longer = [f"{key}{key[-1]}" for key in blank.accepted if key[-1:].isalpha()]
            yield from (key for key in longer if fold_case(tidy(key)) not in known)
    elif blank.kind == "ratio":
        turned = [":".join(reversed(key.split(":"))) for key in blank.accepted]
        known_ratios = {str(read_ratio(key)) for key in blank.accepted}
        yield from (key for key in turned if str(read_ratio(key)) not in known_ratios)
    elif blank.kind == "time":
        known_times = {read_time(key) for key in blank.accepted}
        yield from (time for time in ("0:01", "12:34") if read_time(time) not in known_times)


def _neighbours(blank: NumberBlank) -> Iterator[str]:
    """Yield the numbers one step beside each key, in parts of its denominator, and the key with its sign turned."""
    values = set(_exact_values(blank))
    for value in sorted(values):
        step = Fraction(1, value.denominator)
        for near in (value - step, value + step, -value):
            forms: tuple[Form, ...] = ("integer", "decimal", "proper", "improper")
            text = next(filter(None, (write_number(near, form) for form in forms)), None)
            if near not in values and text is not None:
                yield f"{text}%" if blank.asks_percent else text


def _exact_values(blank: NumberBlank) -> Iterator[Fraction]:
    """Yield what the keys are worth, where nothing else is right and no unit belongs to it."""
    if blank.tolerance is None and blank.precision is None and blank.units is None:
        for key in blank.accepted:
            value = key_value(blank, key)
            if value is not None:
                yield value
