"""Number blanks: a typed number judged by the rules of its blank (N5 to N11, and the policy Q1 to Q14).

First the reading, then the value, then the way it is written: a form is only asked for again where the value is right.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from domain.grading.locales import Locale
from domain.grading.marks import UNREADABLE, Mark, Unread, credit, exact, part
from domain.grading.notation import plain_notation
from domain.grading.number_words import read_words
from domain.grading.numbers import Number, read_key, read_number
from domain.grading.rounding import Fit, best_fit, is_written_to
from domain.grading.units import Measured, base_amount, find_unit, read_measured, without_printed_unit
from domain.question import Absolute, Mistake, NumberBlank, Range, Relative, Units

_MISSING_PERCENT = Unread("missing_percent", "Q13")
_MISSING_UNIT = Unread("missing_unit", "Q14")
_TWO_FORMS_AT_ONCE = frozenset({"proper", "improper", "mixed", "ratio"})


class _Answer(NamedTuple):
    """A number in the terms of the keys."""

    number: Number
    value: Fraction
    read_as: str
    wrong_unit: bool = False
    """Neither the unit asked for nor one that is converted into it."""
    converted: bool = False


def mark_number(blank: NumberBlank, typed: str, locale: Locale, mistakes: Sequence[Mistake] = ()) -> Mark:
    """Judge what was typed into a blank for a number."""
    plain = plain_notation(typed)
    if isinstance(plain, Unread):
        return plain.mark()
    if blank.units is not None and blank.units.mode == "unit_only":
        return _mark_unit(blank.units, plain, mistakes)
    answer = _read(blank, plain, locale)
    if isinstance(answer, Unread):
        return answer.mark(plain if answer in {_MISSING_PERCENT, _MISSING_UNIT} else "")
    if answer.wrong_unit:
        return _mark_wrong_unit(blank, answer)
    return _mark_value(blank, answer, mistakes)


def key_value(blank: NumberBlank, key: str) -> Fraction | None:
    """Return what a key is worth; None if it cannot be read."""
    number = read_key(key, ratio="ratio" in blank.forms)
    return None if isinstance(number, Unread) else _value(blank, number)


def is_allowed(blank: NumberBlank, number: Number) -> bool:
    """Tell whether a number is written in one of the forms of its blank; a whole number will do for a decimal (N6)."""
    if not blank.forms:
        return True
    form = "percent" if number.percent and not blank.asks_percent else number.form
    return form in blank.forms or (form == "integer" and "decimal" in blank.forms)


def _read(blank: NumberBlank, plain: str, locale: Locale) -> _Answer | Unread:
    if blank.number_words:
        words = read_words(plain, locale.language)
        if words is not None and blank.units is None and not blank.asks_percent:
            return _Answer(words, words.value, words.text)
    if blank.units is not None:
        measured = read_measured(plain, locale, blank.units)
        return measured if isinstance(measured, Unread) else _in_expected_unit(blank.units, measured)
    if blank.stem_unit is not None:
        plain = without_printed_unit(plain, blank.stem_unit)
    number = read_number(plain, locale, ratio="ratio" in blank.forms)
    if isinstance(number, Unread):
        return number
    if blank.asks_percent and not number.percent:
        return _MISSING_PERCENT
    if number.percent and not blank.asks_percent and number.form in _TWO_FORMS_AT_ONCE:
        return UNREADABLE if not {number.form, "percent"} <= set(blank.forms) else _answer(blank, number)
    return _answer(blank, number)


def _answer(blank: NumberBlank, number: Number) -> _Answer:
    return _Answer(number, _value(blank, number), number.text)


def _value(blank: NumberBlank, number: Number) -> Fraction:
    return number.value / 100 if number.percent and not blank.asks_percent else number.value


def _in_expected_unit(units: Units, measured: Measured) -> _Answer | Unread:
    number, unit, is_known = measured
    if unit is None:
        return _MISSING_UNIT
    read_as = f"{number.text} {unit.name}"
    if unit.name == units.expected:
        return _Answer(number, number.value, read_as)
    expected = next((one for one in units.table if one.name == units.expected), None)
    if units.mode == "exact" or not is_known or expected is None or not exact(expected.factor):
        return _Answer(number, number.value, read_as, wrong_unit=True)
    base = base_amount(number.value, unit)
    return _Answer(number, (base - exact(expected.offset)) / exact(expected.factor), read_as, converted=True)


def _mark_unit(units: Units, plain: str, mistakes: Iterable[Mistake]) -> Mark:
    found = find_unit(plain, units)
    if found is None:
        return UNREADABLE.mark()
    unit, _ = found
    if unit.name == units.expected:
        return Mark("correct", "N9", "1", unit.name)
    expected_here = (mistake for mistake in mistakes if find_unit(mistake.answer, units) == found)
    return _mistaken(next(expected_here, None), "N9", unit.name)


def _mark_wrong_unit(blank: NumberBlank, answer: _Answer) -> Mark:
    is_right_number = _fit(blank, answer._replace(value=answer.number.value)) == "right"
    points = part(blank.units.wrong_unit_credit) if blank.units and is_right_number else "0"
    return credit(points, "N9", answer.read_as)._replace(note="wrong_unit")


def _mark_value(blank: NumberBlank, answer: _Answer, mistakes: Sequence[Mistake]) -> Mark:
    fit = _fit(blank, answer)
    if fit == "right":
        return _mark_writing(blank, answer.number, answer.read_as)
    for mistake in mistakes:
        if key_value(blank, mistake.answer) == answer.value:
            return _mistaken(mistake, "N5", answer.read_as)
    if fit == "other_precision":
        return Mark("ask_again", "Q7", read_as=answer.read_as, code="wrong_precision")
    if answer.converted and _fit(blank, answer._replace(value=answer.number.value)) == "right":
        return _mark_wrong_unit(blank, answer)
    return _mistaken(None, "N5", answer.read_as)


def _mark_writing(blank: NumberBlank, number: Number, read_as: str) -> Mark:
    """Judge the writing of the right value."""
    if not is_allowed(blank, number):
        if blank.strict:
            return Mark("incorrect", "N6", read_as=read_as)
        return Mark("ask_again", "N6", read_as=read_as, code="wrong_form")
    if not number.simplest and blank.simplify != "optional":
        if blank.simplify == "enforced":
            return Mark("incorrect", "N7", read_as=read_as)
        return Mark("ask_again", "N7", read_as=read_as, code="not_simplified")
    rule = "Q7" if blank.precision else "N9" if blank.units else "N8" if number.percent else "N5"
    return Mark("correct", rule, "1", read_as)


def _mistaken(mistake: Mistake | None, rule: str, read_as: str) -> Mark:
    if mistake is None:
        return Mark("incorrect", rule, read_as=read_as)
    return credit(part(mistake.credit), "N11", read_as)._replace(feedback=mistake.feedback)


def _fit(blank: NumberBlank, answer: _Answer) -> Fit:
    """Compare a value with the keys: within the tolerance, else rounded to the precision, else exactly."""
    keys = (key_value(blank, key) for key in blank.accepted)
    values = (value for value in keys if value is not None)
    if blank.precision is not None and blank.tolerance is None:
        return best_fit(answer.number._replace(value=answer.value), values, blank.precision)
    if isinstance(blank.tolerance, Range):
        is_in = _is_in(answer.value, blank.tolerance)
    else:
        is_in = any(_is_within(answer.value, value, blank.tolerance) for value in values)
    if not is_in:
        return "wrong"
    is_written_so = blank.precision is None or is_written_to(answer.number, blank.precision)
    return "right" if is_written_so else "other_precision"


def _is_in(value: Fraction, tolerance: Range) -> bool:
    low, high = exact(tolerance.low), exact(tolerance.high)
    is_above = value > low if tolerance.low_is_open else value >= low
    return is_above and (value < high if tolerance.high_is_open else value <= high)


def _is_within(value: Fraction, key: Fraction, tolerance: Absolute | Relative | None) -> bool:
    if tolerance is None:
        return value == key
    reach = exact(tolerance.amount) * (abs(key) if isinstance(tolerance, Relative) else 1)
    return abs(value - key) <= reach
