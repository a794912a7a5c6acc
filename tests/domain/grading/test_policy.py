"""Policy: the questions on which graders disagree, each by its id, and our answer to it."""

import pytest

from domain.grading.mark import mark
from domain.grading.several import read_time
from domain.question import (
    ListBlank,
    Mistake,
    NumberBlank,
    Precision,
    Question,
    Range,
    RatioBlank,
    TextBlank,
    TimeBlank,
    Unit,
    Units,
)
from tests.domain.questions import blank, number, text

CENTIMETRES = Units(expected="cm", table=(Unit(name="cm"),))
SECONDS = "1:02:03"


def places(digits: int) -> Precision:
    return Precision(kind="decimal_places", digits=digits)


def figures(digits: int) -> Precision:
    return Precision(kind="significant_figures", digits=digits)


def verdict(question: Question, typed: str, locale: str = "en") -> str:
    return mark(question, typed, locale).verdict


def test_q1_unsimplified_is_right_unless_simplifying_is_taught() -> None:
    assert verdict(number("1/2"), "4/8") == "correct"


@pytest.mark.parametrize(
    ("key", "typed"), [("1/4", "0.25"), ("1/4", "25%"), ("0.25", "1/4"), ("25%", "1/4"), ("3", "6/2")]
)
def test_q2_another_form_of_the_same_number_is_right(key: str, typed: str) -> None:
    assert verdict(number(key), typed) == "correct"


def test_q3_improper_and_mixed_are_the_same_number() -> None:
    assert verdict(number("1 1/2"), "3/2") == verdict(number("3/2"), "1 1/2") == "correct"


@pytest.mark.parametrize(("key", "typed"), [("5/2", "1 3/2"), ("3", "3 0/4"), ("5/2", "2 2/4")])
def test_q4_an_odd_mixed_number_is_read_by_its_value(key: str, typed: str) -> None:
    assert verdict(number(key), typed) == "correct"
    assert mark(number(key, simplify="required"), typed).code == "not_simplified"


def test_q5_the_right_value_in_another_form_is_asked_again_or_wrong_where_the_form_is_taught() -> None:
    assert mark(number("1/2", forms=("proper",)), "0.5").code == "wrong_form"
    assert verdict(number("1/2", forms=("proper",), strict=True), "0.5") == "incorrect"


def test_q6_a_rounded_decimal_is_not_a_third() -> None:
    assert verdict(number("1/3"), "0.333") == "incorrect"


@pytest.mark.parametrize(
    ("key", "precision", "typed", "expected"),
    [
        ("1/3", places(2), "0.33", "correct"),
        ("1/3", places(2), ".33", "correct"),
        ("1/3", places(2), "0.333", "ask_again"),
        ("1/3", places(2), "0.3", "ask_again"),
        ("1/3", places(2), "1/3", "ask_again"),
        ("1/3", places(2), "0.34", "incorrect"),
        ("1/3", places(2), "0.332", "incorrect"),
        ("1/3", places(2), "0", "incorrect"),
        ("2.5", places(2), "2.50", "correct"),
        ("2.5", places(2), "2.5", "ask_again"),
        ("2.5", places(0), "3", "correct"),
        ("-2.5", places(0), "-3", "correct"),
        ("2.5", places(0), "2", "incorrect"),
        ("2.5", places(0), "2.5", "ask_again"),
        ("0.005", places(2), "0.01", "correct"),
        ("1234", figures(2), "1200", "correct"),
        ("1234", figures(2), "1.2e3", "correct"),
        ("1234", figures(2), "1234", "ask_again"),
        ("1234", figures(2), "1230", "ask_again"),
        ("1234", figures(2), "1300", "incorrect"),
        ("0.01299", figures(3), "0.0130", "correct"),
        ("0.01299", figures(3), "0.013", "ask_again"),
        ("9.96", figures(2), "10", "correct"),
        ("99.6", figures(2), "1.0e2", "correct"),
        ("0", figures(2), "0", "ask_again"),
    ],
)
def test_q7_a_stated_precision_is_half_up_and_its_zeros_count(
    key: str, precision: Precision, typed: str, expected: str
) -> None:
    marked = mark(number(key, precision=precision), typed)

    assert marked.verdict == expected
    assert marked.code == ("wrong_precision" if expected == "ask_again" else None)


def test_q7_a_tolerance_widens_the_value_and_not_the_writing() -> None:
    question = number("1/3", precision=places(2), tolerance=Range(low="0.32", high="0.34"))

    assert verdict(question, "0.34") == "correct"
    assert mark(question, "0.340").code == mark(question, "1/3").code == "wrong_precision"
    assert verdict(question, "0.35") == "incorrect"


def test_q9_an_edge_is_in_unless_it_is_open() -> None:
    closed, opened = Range(low="1", high="2"), Range(low="1", high="2", low_is_open=True, high_is_open=True)

    assert {verdict(number("1.5", tolerance=closed), edge) for edge in ("1", "2")} == {"correct"}
    assert {verdict(number("1.5", tolerance=opened), edge) for edge in ("1", "2")} == {"incorrect"}
    assert verdict(number("1.5", tolerance=opened), "1.000001") == "correct"


@pytest.mark.parametrize("typed", ["", " ", "\u200b", "\u00a0\t"])
@pytest.mark.parametrize(
    "question", [number("1"), number("0"), number(""), text("cat"), text(""), text("*", wildcards=True)]
)
def test_q10_blank_is_blank(question: Question, typed: str) -> None:
    assert mark(question, typed).code == "blank"


@pytest.mark.parametrize("typed", ["-", "+", "\u2212"])
@pytest.mark.parametrize("key", ["1", "-1"])
def test_q10_a_lone_sign_is_no_number(typed: str, key: str) -> None:
    assert mark(number(key), typed).code == "unreadable"


def test_q11_a_foreign_decimal_mark_is_asked_again_or_read_as_the_locale_does() -> None:
    assert verdict(number("3.5"), "3,5") == "ask_again"
    assert verdict(number("3.5"), "3.5", "de") == "ask_again"
    assert (mark(number("3.5"), "3,500").verdict, mark(number("3.5"), "3,500").read_as) == ("incorrect", "3500")


def test_q12_an_exponent_has_two_digits_at_most() -> None:
    assert verdict(number("1" + "0" * 29), "1e29") == "correct"
    assert verdict(number("1200"), "1.2 x 10^3") == verdict(number("1200"), "1.2\u00b710^3") == "correct"
    assert mark(number("1"), "1e100").code == mark(number("1"), "1e5000000").code == "unreadable"


@pytest.mark.parametrize("typed", ["50", "0.5", "1/2", "49"])
def test_q13_a_percentage_without_its_sign_is_asked_again_right_or_wrong(typed: str) -> None:
    assert mark(number("50", asks_percent=True), typed).code == "missing_percent"


@pytest.mark.parametrize("typed", ["5", "6"])
def test_q14_a_number_without_its_unit_is_asked_again_right_or_wrong(typed: str) -> None:
    assert mark(number("5", units=CENTIMETRES), typed).code == "missing_unit"


@pytest.mark.parametrize(
    ("unit", "typed"), [("cm", "5 cm"), ("cm", "5CM"), ("$", "$5"), ("$", "5 $"), ("\u20ac", "5\u20ac")]
)
def test_q14_the_unit_printed_in_the_stem_is_tolerated_and_no_other(unit: str, typed: str) -> None:
    assert verdict(number("5", stem_unit=unit), typed) == verdict(number("5", stem_unit=unit), "5") == "correct"
    assert verdict(number("5", stem_unit="kg"), typed) == "ask_again"


def test_q14_a_printed_percent_sign_is_tolerated_too() -> None:
    assert verdict(number("5", stem_unit="%"), "5") == verdict(number("5", stem_unit="%"), "5 %") == "correct"


def test_q15_case_does_not_count_unless_it_is_taught() -> None:
    assert verdict(text("Paris"), "pARIS") == "correct"
    assert verdict(text("Paris", case_sensitive=True), "paris") == "incorrect"


def test_q16_accented_capitals_fold_and_accents_get_a_note() -> None:
    assert mark(text("\u00e9cole"), "\u00c9COLE").note is None
    assert (mark(text("\u00e9cole"), "ecole").verdict, mark(text("\u00e9cole"), "ecole").note) == ("correct", "accents")


def test_q17_extra_spaces_collapse_and_a_missing_one_makes_another_word() -> None:
    assert verdict(text("ice cream"), " ice   cream ") == "correct"
    assert verdict(text("ice cream"), "icecream") == "incorrect"
    assert verdict(text("ice cream", "icecream"), "icecream") == "correct"


def test_q18_a_typing_error_is_wrong_by_default() -> None:
    assert verdict(text("elephant"), "elephamt") == "incorrect"


def test_q19_a_final_mark_counts_only_where_the_key_has_one() -> None:
    assert verdict(text("a dog"), "a dog.") == verdict(text("Stop!"), "stop!") == "correct"
    assert verdict(text("Stop!"), "stop") == verdict(text("Stop!"), "stop.") == "incorrect"
    assert verdict(text("a dog", final_punctuation="counts"), "a dog.") == "incorrect"


def test_q20_a_wildcard_matches_the_whole_answer_only() -> None:
    assert verdict(text("evaporat*", wildcards=True), "Evaporation") == "correct"
    assert verdict(text("evaporat*", wildcards=True), "the evaporation") == "incorrect"
    assert verdict(text("evaporat*"), "evaporation") == "incorrect"


ONE, TWO, WORD = NumberBlank(accepted=("1",)), NumberBlank(accepted=("2",)), TextBlank(accepted=("red",))
TWELVE = NumberBlank(accepted=("1000",))


@pytest.mark.parametrize(
    ("asked", "typed", "locale", "expected"),
    [
        (ListBlank(kind="list", items=(ONE, TWO)), "1, 2", "en", "correct"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1,2", "en", "correct"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1;2", "de", "correct"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1, 2", "de", "correct"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1,2", "de", "ask_again"),
        (ListBlank(kind="list", items=(ONE, TWO)), "(1; 2)", "en", "correct"),
        (ListBlank(kind="list", items=(ONE, TWO)), "2, 1", "en", "incorrect"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1", "en", "ask_again"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1, 2, 3", "en", "ask_again"),
        (ListBlank(kind="list", items=(ONE, TWO)), "1, x", "en", "ask_again"),
        (ListBlank(kind="set", items=(ONE, TWO)), "{2, 1}", "en", "correct"),
        (ListBlank(kind="set", items=(ONE, TWO)), "2, 2", "en", "incorrect"),
        (ListBlank(kind="set", items=(ONE, TWELVE)), "1,000, 1", "en", "correct"),
        (ListBlank(kind="set", items=(ONE, TWELVE)), "1,000", "en", "ask_again"),
        (ListBlank(kind="set", items=(WORD, WORD)), "red, Red", "en", "correct"),
        (RatioBlank(accepted=("3:4",)), "3 : 4", "en", "correct"),
        (RatioBlank(accepted=("3:4",)), "6 to 8", "en", "correct"),
        (RatioBlank(accepted=("3:4",)), "3/4", "en", "correct"),
        (RatioBlank(accepted=("3:4",)), "4:3", "en", "incorrect"),
        (RatioBlank(accepted=("3:4",)), "0.75", "en", "ask_again"),
        (RatioBlank(accepted=("3:4",)), "3:0", "en", "ask_again"),
        (RatioBlank(accepted=("1:2:3",)), "2:4:6", "en", "correct"),
        (RatioBlank(accepted=("3:4",), simplify="required"), "6:8", "en", "ask_again"),
        (RatioBlank(accepted=("3:4",), simplify="enforced"), "6:8", "en", "incorrect"),
        (TimeBlank(accepted=("9:05",)), "09:05 am", "en", "correct"),
        (TimeBlank(accepted=("9:05",)), "9:05 p.m.", "en", "incorrect"),
        (TimeBlank(accepted=("12:30 am",)), "0:30", "en", "correct"),
        (TimeBlank(accepted=("9:05",)), "9:5", "en", "ask_again"),
        (TimeBlank(accepted=("9:05",)), "9:65", "en", "ask_again"),
        (TimeBlank(accepted=("9:05",)), "13:05 pm", "en", "ask_again"),
        (TimeBlank(accepted=(SECONDS,)), "01:02:03", "en", "correct"),
    ],
)
def test_q21_several_values_are_read_where_the_blank_is_made_for_them(
    asked: ListBlank | RatioBlank | TimeBlank, typed: str, locale: str, expected: str
) -> None:
    assert verdict(blank(asked), typed, locale) == expected


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("9:05", 32_700),
        ("2:30 pm", 52_200),
        ("12:00 pm", 43_200),
        ("12:01 AM", 60),
        ("1:02:03", 3723),
        ("100:00", 360_000),
    ],
)
def test_q21_a_time_is_its_seconds(typed: str, seconds: int) -> None:
    assert read_time(typed) == seconds


def test_q21_mistakes_are_expected_there_too() -> None:
    upside_down = Mistake(answer="4:3", feedback="The other way round.")
    an_hour_late = Mistake(answer="10:05", feedback="Which hand is the short one?")
    ratio = blank(RatioBlank(accepted=("3:4",))).model_copy(update={"mistakes": (an_hour_late, upside_down)})
    time = blank(TimeBlank(accepted=("9:05",))).model_copy(update={"mistakes": (upside_down, an_hour_late)})

    assert (mark(ratio, "8:6").feedback, mark(ratio, "5:3").feedback) == ("The other way round.", None)
    assert (mark(time, "10:05 am").feedback, mark(time, "9:06").feedback) == ("Which hand is the short one?", None)


def test_q21_a_list_of_another_length_says_how_many_are_asked_for() -> None:
    marked = mark(blank(ListBlank(kind="set", items=(ONE, TWO))), "1")

    assert (marked.code, marked.expected_count) == ("wrong_count", 2)


def test_q21_a_list_may_be_worth_its_right_part() -> None:
    assert mark(blank(ListBlank(kind="list", items=(ONE, TWO), credit="proportional")), "1, 3").points == "1/2"
    assert (
        mark(blank(ListBlank(kind="set", items=(ONE, TWO, WORD), credit="proportional")), "2; 5; red").points == "2/3"
    )


@pytest.mark.parametrize("typed", ["3, blue, 2", "blue, 3, 2", "2, blue, 3"])
def test_q21_the_order_of_a_set_decides_nothing_of_its_wrong_values_either(typed: str) -> None:
    assert mark(blank(ListBlank(kind="set", items=(ONE, TWO, WORD), credit="proportional")), typed).points == "1/3"


def test_q21_each_value_of_a_set_finds_its_own_item() -> None:
    near = NumberBlank(accepted=("2",), tolerance=Range(low="1", high="3"))
    question = blank(ListBlank(kind="set", items=(near, TWO)))

    assert verdict(question, "2, 1") == verdict(question, "1, 2") == "correct"


@pytest.mark.parametrize("typed", ["2x+1", "\u03c0", "3\u03c0", "sqrt(2)", "x"])
def test_q22_algebra_and_constants_are_no_numbers(typed: str) -> None:
    assert mark(number("3"), typed).code == "unreadable"


def test_q22_pi_is_a_listed_word_or_unit() -> None:
    assert verdict(text("\u03c0", "pi"), "PI") == "correct"
    assert (
        verdict(number("3", units=Units(expected="\u03c0", table=(Unit(name="\u03c0", also=("pi",)),))), "3\u03c0")
        == "correct"
    )
