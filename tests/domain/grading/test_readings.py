"""Readings: what the best graders get wrong, one row after the other; docs/grading.md tells what each must be."""

import pytest

from domain.grading.mark import mark
from domain.question import Question
from tests.domain.questions import number

RIGHT = [
    ("1/2", ".5"),
    ("1/2", "0.50"),
    ("1/2", "+0.5"),
    ("1/2", " 1 / 2 "),
    ("1/2", "2/4"),
    ("1.5", "1 1/2"),
    ("-1.5", "-1 1/2"),
    ("1/2", "\u00bd"),
    ("1.5", "1\u00bd"),
    ("1/2", "1\u20442"),
    ("1000", "1,000"),
    ("1000", "1 000"),
    ("1000", "1\u00a0000"),
    ("1000", "1\u202f000"),
    ("-3", "\u22123"),
    ("-3", "\u20133"),
    ("-3", "- 3"),
    ("0.5", "50%"),
    ("1000", "1e3"),
    ("300000000", "3x10^8"),
    ("300000000", "3\u00d710^8"),
    ("5", "\uff15"),
    ("5", "\u0665"),
    ("5", "5\u200b"),
]
WRONG = [
    ("0.5", "0.5000000001"),
    ("1/3", "0.33333333333333"),
    ("100", "101"),
    ("1000", "1009"),
    ("7", "7.06"),
    ("2", "2/4"),
    ("5.5", "1 1/2"),
    ("11", "1 1/2"),
    ("1", "1/2"),
    ("1", "1,000"),
    ("3", "-3"),
    ("3", "3%"),
]
ASKED_AGAIN = [
    ("1000", "1,0000", "bad_grouping"),
    ("1000", "1,00,0", "bad_grouping"),
    ("1234567.25", "1,234567.25", "bad_grouping"),
    ("123", "1 2 3", "bad_grouping"),
    ("12", "12 apples%", "unreadable"),
    ("3", "3 1/2%", "unreadable"),
    ("1.5", "1.5abc%", "unreadable"),
    ("5", "5%%", "unreadable"),
    ("5", "$5", "unreadable"),
    ("5", "5 cm", "unreadable"),
    ("5", "inf", "unreadable"),
    ("5", "nan", "unreadable"),
    ("1000", "1_000", "unreadable"),
    ("16", "0x10", "unreadable"),
]


@pytest.mark.parametrize(("key", "typed"), RIGHT)
def test_what_is_worth_the_key_is_right(key: str, typed: str) -> None:
    assert mark(number(key), typed).verdict == "correct"


@pytest.mark.parametrize(("key", "typed"), WRONG)
def test_what_is_read_and_worth_something_else_is_wrong(key: str, typed: str) -> None:
    assert mark(number(key), typed).verdict == "incorrect"


@pytest.mark.parametrize(("key", "typed", "code"), ASKED_AGAIN)
def test_what_cannot_be_read_is_asked_again(key: str, typed: str, code: str) -> None:
    marked = mark(number(key), typed)

    assert (marked.verdict, marked.code) == ("ask_again", code)


@pytest.mark.parametrize(("typed", "right"), [("1.000", "1000"), ("1,000", "1")])
def test_a_german_reading_is_right_for_exactly_one_key(typed: str, right: str) -> None:
    verdicts = {key: mark(number(key), typed, "de").verdict for key in ("1", "1000")}

    assert verdicts == {"1": "incorrect", "1000": "incorrect"} | {right: "correct"}


def test_an_indian_hundred_thousand_is_grouped_by_twos() -> None:
    assert mark(number("100000"), "1,00,000", "en-IN").verdict == "correct"
    assert mark(number("100000"), "1,00,000", "en").code == "bad_grouping"


@pytest.mark.parametrize(
    ("simplify", "verdict"), [("optional", "correct"), ("required", "ask_again"), ("enforced", "incorrect")]
)
def test_an_unsimplified_fraction_is_judged_as_the_question_says(simplify: str, verdict: str) -> None:
    assert mark(number("1/2", simplify=simplify), "2/4").verdict == verdict


@pytest.mark.parametrize(
    ("question", "typed", "verdict"),
    [
        (number("0.75", forms=("decimal",)), "75%", "ask_again"),
        (number("0.75", forms=("decimal",), strict=True), "75%", "incorrect"),
        (number("1000", forms=("integer", "decimal")), "1e3", "ask_again"),
        (number("0.035", forms=("percent", "mixed")), "3 1/2%", "correct"),
    ],
)
def test_a_form_is_allowed_only_when_it_is_listed(question: Question, typed: str, verdict: str) -> None:
    assert mark(question, typed).verdict == verdict
