"""Python traps: what Python makes of text and numbers, and that grading never does."""

import ast
import unicodedata
from pathlib import Path

import pytest

import domain.grading
from domain.grading.mark import mark
from domain.grading.marks import exact
from domain.grading.rounding import round_to_places
from domain.grading.wording import fold_accents, fold_case, tidy
from domain.question import Absolute, Precision
from tests.domain.questions import number, statement, text

SOURCES = sorted(Path(str(domain.grading.__file__)).parent.glob("*.py"))


def test_nfkc_makes_eleven_halves_of_one_and_a_half() -> None:
    assert unicodedata.normalize("NFKC", "1\u00bd") == "11\u20442"
    assert mark(number("1.5"), "1\u00bd").verdict == "correct"
    assert mark(number("5.5"), "1\u00bd").verdict == "incorrect"


def test_nfkc_makes_fifty_two_of_five_squared() -> None:
    assert unicodedata.normalize("NFKC", "5\u00b2") == "52"
    assert mark(number("52"), "5\u00b2").verdict == "ask_again"


@pytest.mark.parametrize(
    "typed", ["1_000", "infinity", "inf", "NaN", "-Infinity", "1E+1_0", "0b1", "0o7", "1__0", "sNaN"]
)
def test_what_python_reads_as_a_number_is_none(typed: str) -> None:
    assert mark(number("1000"), typed).code == "unreadable"


def test_spaces_around_a_slash_are_no_error_and_division_by_zero_is_none() -> None:
    assert mark(number("1/2"), "1 / 2").verdict == "correct"
    assert mark(number("1/2"), "1/0").code == "division_by_zero"


@pytest.mark.parametrize("typed", ["9" * 5000, "9" * 256, "1e5000000", "1e-5000000", "1/" + "9" * 200])
def test_no_number_is_too_long_or_too_large_to_be_marked(typed: str) -> None:
    assert mark(number("1"), typed).verdict == "ask_again"


def test_an_authors_pattern_never_becomes_a_regular_expression() -> None:
    assert mark(text("(a+)+b", wildcards=True), "a" * 24).verdict == "incorrect"


@pytest.mark.parametrize("typed", ["\u00b2", "\u2460\u00b2", "\u00b9"])
def test_a_superscript_is_a_digit_to_python_only(typed: str) -> None:
    assert typed[-1].isdigit()
    assert mark(number("2"), typed).verdict == "ask_again"


def test_strip_keeps_what_shows_nothing() -> None:
    assert "5\u200b".strip() != "5"
    assert mark(number("5"), "5\u200b").verdict == mark(text("5"), "\ufeff5\u200b").verdict == "correct"


def test_case_is_folded_not_lowered() -> None:
    assert len("\u0130".lower()) == 2
    assert "\u00df".lower() == "\u00df"
    assert fold_case("STRASSE") == fold_case("stra\u00dfe")
    assert mark(text("\u0130zmir", accents="exact"), "\u0130zmir").verdict == "correct"


def test_accents_are_folded_by_letters_not_by_stripping() -> None:
    assert unicodedata.normalize("NFKD", "\u0141\u00f8\u0111") == "\u0141\u00f8\u0111"
    assert fold_accents("\u0141\u00f8\u0111\u00e6\u00df") == "Lodaess"
    assert unicodedata.normalize("NFKD", "\u304c")[0] == "\u304b"
    assert fold_accents("\u304c") == "\u304c"
    assert mark(text("a\u00f1o", teaches_language=True, language="es"), "ano").verdict == "incorrect"


def test_a_boolean_is_no_number_and_a_number_no_boolean() -> None:
    assert mark(number("1"), answer=True).verdict == "ask_again"
    assert mark(statement(key=True), 1).verdict == "ask_again"


def test_tenths_are_tenths() -> None:
    assert 0.1 + 0.2 != 0.3
    assert mark(number("0.3", tolerance=Absolute(amount="0.1")), "0.2").verdict == "correct"
    assert mark(number("0.3", tolerance=Absolute(amount="0.1")), "0.4").verdict == "correct"


def test_halves_are_rounded_up() -> None:
    assert round(2.5) == 2
    assert mark(number("2.5", precision=Precision(kind="decimal_places", digits=0)), "3").verdict == "correct"
    assert round_to_places(exact("-2.5"), 0) == -3


def test_no_spelling_of_nothing_is_an_answer() -> None:
    assert tidy("\u2028\u00a0\u3000\t\u200b\x1c") == ""


def calls_in(source: Path) -> set[str]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_no_float_and_no_decimal_is_ever_made(source: Path) -> None:
    assert not calls_in(source) & {"float", "Decimal", "eval", "round"}
