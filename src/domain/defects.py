"""Defects: what is wrong with a question, by name; a question that has any is not published.

These are the mistakes that make grading unfair or impossible; whether the stem is well written is for others to say.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from domain.examples import failing_examples
from domain.grading.locales import ENGLISH
from domain.grading.mark import Context, mark_blank
from domain.grading.marks import Unread, exact
from domain.grading.number_blanks import is_allowed, key_value
from domain.grading.numbers import read_key
from domain.grading.several import read_ratio, read_time
from domain.grading.wording import fold_case, tidy
from domain.grading.writing import write_number
from domain.question import (
    Blank,
    FillIn,
    ListBlank,
    Mistake,
    MultipleChoice,
    NumberBlank,
    Question,
    Range,
    RatioBlank,
    Relative,
    TextBlank,
    TrueFalse,
)

_BETWEEN_VALUES = re.compile(r" *(?:[,;:]| and | or ) *")
_NEVER_READ = frozenset({"blank", "unreadable", "bad_grouping", "division_by_zero"})


class Defect(NamedTuple):
    """Something that must be mended before a question can be asked."""

    code: str
    says: str
    """The defect in a sentence, for the author."""
    blank: int | None = None
    """Which blank it is in, from 0."""


def defects_of(question: Question) -> list[Defect]:
    """Return every defect of a question; examples are tried only where there is no other."""
    grading = question.grading
    found = list(_of_texts(question))
    if isinstance(grading, MultipleChoice):
        found += _of_choice(question, grading)
    elif isinstance(grading, TrueFalse):
        found += [
            Defect("options_of_a_statement", "A statement is true or false; it has no options of its own.")
        ] * bool(question.options)
    else:
        found += _of_fill_in(grading)
    found += _of_mistakes(question)
    return found or [Defect("example_fails", words) for words in failing_examples(question)]


def _of_texts(question: Question) -> Iterator[Defect]:
    if not tidy(question.stem):
        yield Defect("empty_stem", "There is no question.")
    folded = [fold_case(tidy(option.text)) for option in question.options]
    if not all(folded):
        yield Defect("empty_option", "An option has no text.")
    if len(set(folded)) < len(folded):
        yield Defect("options_repeated", "Two options read the same.")
    ids = [option.id for option in question.options]
    if len(set(ids)) < len(ids):
        yield Defect("option_ids_repeated", "Two options have the same id.")
    if any(
        option.id != other.id and option.text == other.id for option in question.options for other in question.options
    ):
        yield Defect("option_text_is_an_id", "The text of one option is the id of another.")


def _of_choice(question: Question, grading: MultipleChoice) -> Iterator[Defect]:
    ids = {option.id for option in question.options}
    if len(ids) < 2:  # noqa: PLR2004  one option is no choice
        yield Defect("too_few_options", "There is nothing to choose from.")
    if not grading.key:
        yield Defect("no_key", "No option is right.")
    if not ids.issuperset(grading.key) or len(set(grading.key)) < len(grading.key):
        yield Defect("key_not_among_options", "Each key is the id of an option, and is named once.")
    if len(grading.key) > 1 and not grading.several:
        yield Defect("several_keys", "One option is asked for and more than one is right.")
    excluding = {option.id for option in question.options if option.role == "none_of_the_above"}
    if len(grading.key) > 1 and excluding.intersection(grading.key):
        yield Defect("key_excludes_itself", "None of the above cannot be right together with others.")


def _of_fill_in(grading: FillIn) -> Iterator[Defect]:
    if not grading.blanks:
        yield Defect("no_blank", "There is nothing to fill in.")
    for at, blank in enumerate(grading.blanks):
        for code, says in _of_blank(blank):
            yield Defect(code, says, at)


def _of_blank(blank: Blank) -> Iterator[tuple[str, str]]:
    if isinstance(blank, ListBlank):
        if not blank.items:
            yield "no_key", "The list is empty."
        for item in blank.items:
            yield from _of_blank(item)
        return
    by_unit_alone = isinstance(blank, NumberBlank) and blank.units is not None and blank.units.mode == "unit_only"
    if not blank.accepted and not by_unit_alone:
        yield "no_key", "No answer is accepted."
    if isinstance(blank, NumberBlank):
        yield from _of_rules(blank)
        if not by_unit_alone:
            for key in blank.accepted:
                yield from _of_number(blank, key)
    elif isinstance(blank, TextBlank):
        yield from _of_words(blank)
    else:
        read = read_ratio if isinstance(blank, RatioBlank) else read_time
        if any(isinstance(read(key), Unread) for key in blank.accepted):
            yield "unreadable_key", "A key cannot be read as what the blank asks for."


def _of_rules(blank: NumberBlank) -> Iterator[tuple[str, str]]:
    tolerance, units = blank.tolerance, blank.units
    if isinstance(tolerance, Range):
        if exact(tolerance.low) > exact(tolerance.high):
            yield "empty_range", "The range ends before it begins."
    elif tolerance is not None and exact(tolerance.amount) < 0:
        yield "negative_tolerance", "A tolerance is a distance."
    if units is None:
        return
    names = [unit.name for unit in units.table]
    expected = next((unit for unit in units.table if unit.name == units.expected), None)
    if expected is None or len(set(names)) < len(names):
        yield "unit_not_in_table", "The unit asked for is in the table, and each unit once."
    elif units.mode == "convert" and not exact(expected.factor):
        yield "unit_without_size", "The factor of the unit asked for is not 0."
    if units.expected == "%":
        yield "percent_as_unit", "A percentage is asked for by `asks_percent`."


def _of_number(blank: NumberBlank, key: str) -> Iterator[tuple[str, str]]:
    value = key_value(blank, key)
    if value is None:
        yield _unreadable(blank, key)
        return
    if value == 0 and isinstance(blank.tolerance, Relative):
        yield "relative_to_zero", "A part of 0 is 0: give an absolute tolerance (Q8)."
    takes_decimals = not blank.forms or {"decimal", "percent", "scientific"}.intersection(blank.forms)
    is_exact = blank.precision is None and blank.tolerance is None
    if is_exact and takes_decimals and not _is_finite(value):
        yield "rounding_unstated", "No decimal is this number: exclude decimals, or say how to round (Q6)."
    if is_exact and not any(write_number(value, form) for form in blank.forms or ("mixed", "improper", "decimal")):
        number = read_key(key, ratio="ratio" in blank.forms)
        if isinstance(number, Unread) or not is_allowed(blank, number):
            yield "key_not_in_forms", "The key cannot be written in any of the forms allowed."


def _unreadable(blank: NumberBlank, key: str) -> tuple[str, str]:
    parts = _BETWEEN_VALUES.split(tidy(key))
    if len(parts) > 1 and all(key_value(blank, part) is not None for part in parts):
        return "several_values", "Several values belong into a set, a list, a ratio or a time (Q21)."
    return "unreadable_key", "A number is asked for, and a key cannot be read as one (Q22)."


def _is_finite(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _of_words(blank: TextBlank) -> Iterator[tuple[str, str]]:
    if not all(tidy(key) for key in blank.accepted):
        yield "empty_key", "Nothing typed is never right (Q10)."
    if blank.wildcards and any(not tidy(key).replace("*", "").strip() for key in blank.accepted):
        yield "everything_is_right", "A wildcard alone accepts anything."
    if any(";" in key for key in blank.accepted):
        yield "several_values", "Several values belong into a set or a list (Q21)."


def _of_mistakes(question: Question) -> Iterator[Defect]:
    """Find mistakes whose feedback nobody would see, for they are right, or no answer."""
    grading = question.grading
    for mistake in question.mistakes:
        if not 0 <= exact(mistake.credit) <= 1:
            yield Defect("credit_out_of_range", "A credit is a part of the points: from 0 to 1.")
        if isinstance(grading, FillIn) and mistake.blank >= len(grading.blanks):
            yield Defect("mistake_without_blank", "A mistake belongs to a blank that is not there.")
        elif _is_never_made(question, mistake):
            yield Defect("mistake_never_made", "A mistake is right, or no answer.")


def _is_never_made(question: Question, mistake: Mistake) -> bool:
    grading = question.grading
    if isinstance(grading, FillIn):
        context = Context(ENGLISH, question.language[:2].lower())
        marked = mark_blank(grading.blanks[mistake.blank], mistake.answer, context)
        return (marked.verdict, marked.note) == ("correct", None) or marked.code in _NEVER_READ
    if isinstance(grading, MultipleChoice):
        return mistake.answer not in {option.id for option in question.options}.difference(grading.key)
    return mistake.answer != ("false" if grading.key else "true")
