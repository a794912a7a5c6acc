"""Explain: how an answer was read and judged, step by step, for whoever wants to know; grading itself does without."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from domain.grading.locales import Locale, find_locale
from domain.grading.mark import mark
from domain.grading.marks import LONGEST, Mark, Unread
from domain.grading.notation import plain_notation
from domain.grading.number_blanks import key_value
from domain.grading.number_words import read_words
from domain.grading.numbers import Number, read_number
from domain.grading.several import read_ratio, read_time, split
from domain.grading.spelling import edits_forgiven
from domain.grading.text_blanks import folds_accents, rules_of
from domain.grading.units import read_measured
from domain.grading.wording import Typed, counted_key, tidy, tidy_key
from domain.question import (
    Blank,
    FillIn,
    ListBlank,
    MultipleChoice,
    NumberBlank,
    Question,
    RatioBlank,
    TextBlank,
    TimeBlank,
    Tolerance,
)


class Step(NamedTuple):
    """One thing that grading did, and what it found."""

    does: str
    finds: str


def explain(question: Question, answer: object, locale: str = "en") -> list[Step]:
    """Return the steps from an answer to its mark, in order; as total as `mark`."""
    marked = mark(question, answer, locale)
    notation = find_locale(locale)
    steps = [Step("typed", _shown(answer)), Step("locale", _told(notation, locale))]
    grading = question.grading
    if isinstance(grading, FillIn):
        typed = list(answer) if isinstance(answer, (list, tuple)) else [answer]
        for at, (blank, text) in enumerate(zip(grading.blanks, typed, strict=False), start=1):
            if len(grading.blanks) > 1:
                steps.append(Step("blank", f"{at} of {len(grading.blanks)}"))
            if isinstance(text, str):
                steps += _steps_of_blank(blank, text, notation, question.language[:2].lower())
            if marked.blanks:
                steps.append(_judged(marked.blanks[at - 1]))
    elif marked.chosen:
        key = grading.key if isinstance(grading, MultipleChoice) else ("true" if grading.key else "false",)
        steps += [Step("chosen", ", ".join(marked.chosen)), Step("key", ", ".join(key))]
    return [*steps, _judged(marked)]


def _steps_of_blank(blank: Blank, typed: str, locale: Locale, language: str) -> Iterator[Step]:
    if isinstance(blank, TextBlank):
        return _steps_of_text(blank, typed, language)
    if isinstance(blank, NumberBlank):
        return _steps_of_number(blank, typed, locale)
    return iter([_step_of_several(blank, typed, locale)])


def _step_of_several(blank: RatioBlank | TimeBlank | ListBlank, typed: str, locale: Locale) -> Step:
    if isinstance(blank, ListBlank):
        parts = split(tidy(typed), locale) if len(typed) <= LONGEST and tidy(typed) else []
        return Step(blank.kind, f"{parts}, {len(blank.items)} asked for")
    if isinstance(blank, RatioBlank):
        ratio = read_ratio(typed)
        return Step(
            "ratio", ratio.code if isinstance(ratio, Unread) else f"{ratio.terms}, in lowest terms {ratio.lowest}"
        )
    seconds = read_time(typed)
    return Step("time", seconds.code if isinstance(seconds, Unread) else f"{seconds} s")


def _steps_of_number(blank: NumberBlank, typed: str, locale: Locale) -> Iterator[Step]:
    plain = plain_notation(typed)
    if isinstance(plain, Unread):
        yield Step("plain notation", plain.code)
        return
    yield Step("plain notation", ascii(plain))
    words = read_words(plain, locale.language) if blank.number_words else None
    read: Number | Unread
    if blank.units is not None:
        measured = read_measured(plain, locale, blank.units)
        unit = None if isinstance(measured, Unread) else measured.unit
        read = measured if isinstance(measured, Unread) else measured.number
        yield Step("unit", "none" if unit is None else unit.name)
    else:
        read = words or read_number(plain, locale, ratio="ratio" in blank.forms)
    if isinstance(read, Unread):
        yield Step("grammar", f"not a number here: {read.code}")
        return
    yield Step("grammar", f"{read.form}{' and percent' if read.percent else ''}, worth {read.value}")
    for key in blank.accepted:
        value = key_value(blank, key)
        yield Step("key", f"{key}: {'cannot be read' if value is None else _exactly(value, blank.tolerance)}")


def _steps_of_text(blank: TextBlank, typed: str, language: str) -> Iterator[Step]:
    rules, shown = rules_of(blank, language), tidy(typed)
    yield Step("tidied", shown)
    for key in blank.accepted:
        like = tidy_key(key)
        yield Step("compared", f"{Typed(shown, rules).beside(like)!r} with the key {counted_key(key, rules)!r}")
        if folds_accents(blank):
            plain = rules._replace(folds_accents=True)
            yield Step("without accents", f"{Typed(shown, plain).beside(like)!r} with {counted_key(key, plain)!r}")
        if blank.spelling_tolerance:
            yield Step("edits forgiven", str(edits_forgiven(like)))


def _exactly(value: Fraction, tolerance: Tolerance | None) -> str:
    if tolerance is None:
        return f"exactly {value}"
    rules = ", ".join(f"{name} {rule}" for name, rule in tolerance.model_dump(exclude={"kind"}).items())
    return f"{value} within {tolerance.kind} {rules}"


def _judged(marked: Mark) -> Step:
    code = f" ({marked.code})" if marked.code else ""
    return Step("judged", f"{marked.verdict}{code} by rule {marked.rule}, {marked.points} of the points")


def _told(locale: Locale, tag: str) -> str:
    groups = f"groups apart by {locale.group!r} or a space" if locale.group else "groups apart by a space"
    return f"{tag!r}: decimals behind {locale.decimal!r}, {groups}{', by twos' if locale.by_twos else ''}"


def _shown(answer: object) -> str:
    if isinstance(answer, str) and len(answer) > LONGEST:
        return f"{len(answer)} characters"
    return ascii(answer)
