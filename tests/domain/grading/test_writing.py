"""Writing: numbers and keys as a learner of some locale writes them."""

from fractions import Fraction

import pytest

from domain.grading.locales import find_locale
from domain.grading.writing import renderings, write_key, write_number
from domain.question import (
    Form,
    ListBlank,
    NumberBlank,
    Option,
    Precision,
    Question,
    RatioBlank,
    TextBlank,
    TimeBlank,
    Unit,
    Units,
)
from tests.domain.questions import blank, choice, number, statement, text

METRES = Units(expected="m", table=(Unit(name="m"),))
LONG = Fraction(10**29 + 1)


@pytest.mark.parametrize(
    ("value", "form", "locale", "written"),
    [
        ("0", "integer", "en", "0"),
        ("-12", "integer", "en", "-12"),
        ("1/2", "integer", "en", None),
        ("5", "decimal", "de", "5,0"),
        ("-1/8", "decimal", "de", "-0,125"),
        ("12.5", "decimal", "en", "12.5"),
        ("1/3", "decimal", "en", None),
        ("3/4", "proper", "en", "3/4"),
        ("5/4", "proper", "en", None),
        ("0", "proper", "en", None),
        ("-5/4", "improper", "en", "-5/4"),
        ("5/2", "improper", "en", "5/2"),
        ("3/4", "improper", "en", None),
        ("5", "improper", "en", None),
        ("5/4", "mixed", "en", "1 1/4"),
        ("3/4", "mixed", "en", None),
        ("1/8", "percent", "fr", "12,5%"),
        ("1/3", "percent", "en", None),
        ("3/4", "ratio", "en", "3:4"),
        ("0", "ratio", "en", None),
        ("1230", "scientific", "en", "1.23\u00d710^3"),
        ("-0.05", "scientific", "en", "-5\u00d710^-2"),
        ("1/3", "scientific", "en", None),
        ("0", "scientific", "en", None),
    ],
)
def test_a_number_is_written_in_lowest_terms_or_not_at_all(
    value: str, form: Form, locale: str, written: str | None
) -> None:
    assert write_number(Fraction(value), form, find_locale(locale)) == written


def test_a_number_that_is_too_long_to_be_read_is_not_written() -> None:
    assert write_number(LONG, "integer") == str(LONG)
    assert write_number(LONG * 10, "integer") is None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (number("1/2"), ["0.5", "1/2", "50%", "5\u00d710^-1"]),
        (number("1/2", forms=("ratio", "proper")), ["1:2", "1/2"]),
        (number("50", asks_percent=True), ["50%", "50.0%", "5\u00d710^1%"]),
        (number("1/2", "x"), ["0.5", "1/2", "50%", "5\u00d710^-1"]),
        (number("1/2", units=METRES), []),
        (number("1/2", precision=Precision(kind="decimal_places", digits=1)), []),
        (text("grey", "gray"), ["grey", "gray"]),
        (text("gr*", wildcards=True), []),
        (blank(TextBlank(accepted=("a",)), TextBlank(accepted=("b",))), []),
        (choice("a"), []),
    ],
)
def test_every_key_is_rendered_in_every_form_that_is_allowed(question: Question, expected: list[str]) -> None:
    assert list(renderings(question)) == expected


@pytest.mark.parametrize(
    ("question", "written"),
    [
        (number("1.5", "3/2"), "1,5"),
        (number("1/2"), "1/2"),
        (number("50", asks_percent=True), "50%"),
        (number("50%", asks_percent=True), "50%"),
        (number("1.5", units=METRES), "1,5 m"),
        (number(units=Units(mode="unit_only", expected="m", table=(Unit(name="m"),))), "m"),
        (number("3:4", forms=("ratio",)), "3:4"),
        (number("\u03c0"), "\u03c0"),
        (number(), ""),
        (text("Br\u00fccke", "Steg"), "Br\u00fccke"),
        (blank(RatioBlank(accepted=("3:4",)), TimeBlank(accepted=("9:05",))), "3:4; 9:05"),
        (blank(ListBlank(kind="set", items=(NumberBlank(accepted=("1.5",)), TextBlank(accepted=("a",))))), "1,5; a"),
        (choice("a", "c", several=True), "red; blue"),
        (choice("b", options=(Option(id="b", text="Ja"),)), "Ja"),
        (statement(key=True), "true"),
        (statement(key=False), "false"),
    ],
)
def test_what_is_right_is_told_in_the_learners_notation(question: Question, written: str) -> None:
    assert write_key(question, "de") == written
