"""Number rules: N1 to N11, each by its id."""

import pytest

from domain.grading.mark import mark
from domain.question import Absolute, Mistake, NumberBlank, Question, Range, Relative, Unit, Units
from tests.domain.questions import number

LENGTHS = (Unit(name="cm", also=("centimetres",), factor="0.01"), Unit(name="m", also=("metre", "metres")))
TEMPERATURES = (Unit(name="\u00b0C"), Unit(name="\u00b0F", factor="5/9", offset="-160/9"))
MONEY = (Unit(name="$", also=("dollars",)), Unit(name="\u00a2", also=("cents",), factor="0.01"))
TIMES = (Unit(name="min", also=("minutes",), factor="1/60"), Unit(name="h:mm", also=("h",)))


def verdict(question: Question, typed: str, locale: str = "en") -> str:
    return mark(question, typed, locale).verdict


def test_n1_an_answer_has_at_most_256_code_points() -> None:
    assert mark(number("5"), " " * 255 + "5").verdict == "correct"
    assert mark(number("5"), " " * 256 + "5").code == "too_long"
    assert mark(number("5"), " " * 256 + "5").rule == "N1"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("\u200b1\u00ad5\u2060", "15"),
        ("1\u00bd", "3/2"),
        ("\u215f3", "1/3"),
        ("\u0661\u00bd", "3/2"),
        ("\uff0d\uff15", "-5"),
        ("5\u2003", "5"),
        ("\t5\n", "5"),
        ("7\u22153", "7/3"),
        ("50\u066a", "0.5"),
        ("50\uff05", "0.5"),
    ],
)
def test_n2_what_only_looks_different_is_the_same(typed: str, key: str) -> None:
    assert mark(number(key), typed).verdict == "correct"


@pytest.mark.parametrize(
    "typed", ["5\u00b2", "\u00b2", "5\u2082", "3e\u00b2", "3x10\u2078", "\u00bd5", "1/\u00bd", ".\u00bd"]
)
def test_n2_raised_digits_and_glued_fractions_are_refused(typed: str) -> None:
    for key in ("52", "2", "300", "25", "1/25", "1/2", "0.5"):
        assert mark(number(key), typed).code == "unreadable"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("12", "12"),
        ("007", "7"),
        ("5.", "5"),
        ("- .5", "-0.5"),
        ("+ 2 / 3", "2/3"),
        ("-2/3", "-2/3"),
        ("- 2 2/3", "-8/3"),
        ("1.5e-3", "0.0015"),
        ("1,000/3", "1000/3"),
        ("12.5 %", "1/8"),
        ("9" * 30, "9" * 30),
        ("1/" + "9" * 29, "1/" + "9" * 29),
        ("1 05/10", "1.5"),
        ("0/5", "0"),
    ],
)
def test_n3_the_grammar_reads(typed: str, key: str) -> None:
    assert mark(number(key), typed).verdict == "correct"


@pytest.mark.parametrize(
    "typed",
    [
        "--3", "3-", "1/-2", "-1/-2", "1//2", "1/2/3", "1.2.3", "1 1.5/2", "1 -1/2", ".", "+", "-", "/", "%", "e3",
        "1e", "1e100", "2^3", "(3)", "3+4", "1 2/3 4", "five", "5 5/", "\u221e", "9" * 31, "0." + "0" * 30, "5\x00",
        "1/" + "9" * 30,
        "\ud800",
    ],
)  # fmt: skip
def test_n3_nothing_else_is_a_number(typed: str) -> None:
    assert mark(number("3"), typed).verdict == "ask_again"


@pytest.mark.parametrize("typed", ["1/0", "0/0", "3 1/0", "-1/000", "1/0%"])
def test_n3_nothing_is_divided_by_zero(typed: str) -> None:
    assert mark(number("1"), typed).code == "division_by_zero"


@pytest.mark.parametrize(
    ("locale", "typed", "key"),
    [
        ("en", "1,234,567.5", "1234567.5"),
        ("en-GB", "1,234.5", "1234.5"),
        ("en-IN", "12,34,567.5", "1234567.5"),
        ("en-IN", "1,234", "1234"),
        ("de", "1.234.567,5", "1234567.5"),
        ("de-AT", "1 234,5", "1234.5"),
        ("de-CH", "1'234.5", "1234.5"),
        ("de-CH", "1\u2019234.5", "1234.5"),
        ("fr", "1 234 567,5", "1234567.5"),
        ("fr-FR", "1\u202f234,5", "1234.5"),
        ("it", "1.234,5", "1234.5"),
        ("es", "1.234,5", "1234.5"),
        ("es-MX", "1,234.5", "1234.5"),
        ("pt_BR", "1.234,5", "1234.5"),
        ("pt-PT", "1 234,5", "1234.5"),
        ("fr", "\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "1234.5"),
        ("es-419", "1,234.5", "1234.5"),
        ("en-ZA", "1 234,5", "1234.5"),
        ("ar", "\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "1234.5"),
        ("zh-Hans-CN", "1,234.5", "1234.5"),
        ("tlh", "1,234.5", "1234.5"),
        ("", "1,234.5", "1234.5"),
    ],
)
def test_n4_a_locale_has_one_reading(locale: str, typed: str, key: str) -> None:
    assert mark(number(key), typed, locale).verdict == "correct"


@pytest.mark.parametrize(
    ("locale", "typed"),
    [
        ("en", "1,23"),
        ("en", "12,34,567"),
        ("en", "0,5"),
        ("en", "0,125"),
        ("en", "1.234.567"),
        ("en", "1,234 567"),
        ("en-IN", "123,456"),
        ("de", "1.5"),
        ("de", "1,234,5"),
        ("fr", "1.5"),
        ("fr", "1 000/3"),
        ("de-CH", "1,5"),
    ],
)
def test_n4_what_the_locale_cannot_read_is_asked_again(locale: str, typed: str) -> None:
    assert mark(number("5"), typed, locale).code == "bad_grouping"


def test_n4_the_reading_is_shown_in_the_learners_own_notation() -> None:
    assert mark(number("5"), "1.234,50", "de").read_as == "1234,50"
    assert mark(number("5"), "1,234.50", "en").read_as == "1234.50"


def test_n5_values_are_compared_exactly() -> None:
    assert verdict(number("0.3"), "0.3") == "correct"
    assert verdict(number("1/3"), "3333333333/10000000000") == "incorrect"
    assert verdict(number("5", "-5"), "-5") == "correct"
    assert mark(number("5"), "5").rule == mark(number("5"), "6").rule == "N5"


@pytest.mark.parametrize(
    ("rules", "right", "wrong"),
    [
        ({"tolerance": Absolute(amount="0.1")}, ["9.9", "10.1", "101/10"], ["9.8999", "10.10001"]),
        ({"tolerance": Relative(amount="0.02")}, ["9.8", "10.2"], ["9.7999", "10.2001"]),
        ({"tolerance": Range(low="9", high="11")}, ["9", "11"], ["8.9999", "11.0001"]),
    ],
)
def test_n5_a_tolerance_has_exact_edges(rules: dict[str, object], right: list[str], wrong: list[str]) -> None:
    assert {verdict(number("10", **rules), typed) for typed in right} == {"correct"}
    assert {verdict(number("10", **rules), typed) for typed in wrong} == {"incorrect"}


@pytest.mark.parametrize(
    ("form", "typed"),
    [
        ("integer", "5"),
        ("decimal", "5.0"),
        ("improper", "10/2"),
        ("mixed", "4 2/2"),
        ("percent", "500%"),
        ("scientific", "5e0"),
        ("ratio", "5:1"),
    ],
)
def test_n6_only_the_forms_that_are_listed_are_taken(form: str, typed: str) -> None:
    forms = ["integer", "decimal", "proper", "improper", "mixed", "percent", "ratio", "scientific"]
    others = tuple(one for one in forms if one != form and (form, one) != ("integer", "decimal"))

    assert verdict(number("5", forms=(form,)), typed) == "correct"
    assert verdict(number("5", forms=others), typed) == "ask_again"
    assert verdict(number("5", forms=others, strict=True), typed) == ("ask_again" if form == "ratio" else "incorrect")


def test_n6_a_form_is_only_told_of_where_the_value_is_right() -> None:
    marked = mark(number("0.5", forms=("decimal",)), "1/2")

    assert (marked.code, marked.rule) == ("wrong_form", "N6")
    assert verdict(number("0.5", forms=("decimal",)), "1/3") == "incorrect"


def test_n6_no_list_means_all_but_ratio() -> None:
    assert {verdict(number("0.5"), typed) for typed in ("1/2", "0.5", "50%", "5e-1")} == {"correct"}
    assert verdict(number("0.5"), "1:2") == "ask_again"


@pytest.mark.parametrize("typed", ["2/4", "4/8", "50/100"])
def test_n7_unsimplified_is_right_asked_again_or_wrong(typed: str) -> None:
    assert verdict(number("1/2"), typed) == "correct"
    assert mark(number("1/2", simplify="required"), typed).code == "not_simplified"
    assert verdict(number("1/2", simplify="enforced"), typed) == "incorrect"
    assert verdict(number("1/3", simplify="required"), typed) == "incorrect"


@pytest.mark.parametrize(
    ("key", "typed", "rules", "simple"),
    [
        ("3/2", "1 1/2", {}, True),
        ("2", "1 1/1", {}, False),
        ("4", "4/1", {}, False),
        ("4", "4", {}, True),
        ("1/2", "0.50", {}, True),
        ("3", "3:1", {"forms": ("ratio",)}, True),
        ("3", "6:2", {"forms": ("ratio",)}, False),
        ("1/2", "one half", {"number_words": True}, True),
        ("1/2", "two quarters", {"number_words": True}, False),
        ("3/2", "one and a half", {"number_words": True}, True),
        ("3/2", "one and two quarters", {"number_words": True}, False),
    ],
)
def test_n7_what_is_simplified(key: str, typed: str, rules: dict[str, object], *, simple: bool) -> None:
    expected = None if simple else "not_simplified"

    assert mark(number(key, simplify="required", **rules), typed).code == expected
    assert verdict(number(key, simplify="optional", **rules), typed) == "correct"


def test_n8_a_percent_is_a_hundredth_unless_percent_is_asked_for() -> None:
    assert verdict(number("0.5"), "50%") == "correct"
    assert verdict(number("50"), "50%") == "incorrect"
    assert verdict(number("50", asks_percent=True), "50%") == "correct"
    assert verdict(number("50%", asks_percent=True), "50 %") == "correct"
    assert verdict(number("50%"), "0.5") == "correct"
    assert verdict(number("3.5", asks_percent=True), "3 1/2%") == "correct"
    assert verdict(number("0.5", asks_percent=True), "50%") == "incorrect"


def in_units(mode: str, key: str, unit: str, table: tuple[Unit, ...] = LENGTHS, **rules: object) -> Question:
    more = {"wrong_unit_credit": rules.pop("wrong_unit_credit")} if "wrong_unit_credit" in rules else {}
    return number(key, units=Units.model_validate({"mode": mode, "expected": unit, "table": table, **more}), **rules)


@pytest.mark.parametrize(
    ("question", "typed", "expected"),
    [
        (in_units("exact", "5", "cm"), "5 cm", "correct"),
        (in_units("exact", "5", "cm"), "5cm", "correct"),
        (in_units("exact", "5", "cm"), "5 CM", "correct"),
        (in_units("exact", "5", "cm"), "5 centimetres", "correct"),
        (in_units("exact", "5", "cm"), "1 000 cm", "incorrect"),
        (in_units("exact", "5", "cm"), "6 cm", "incorrect"),
        (in_units("exact", "5", "cm"), "5 m", "incorrect"),
        (in_units("exact", "50", "cm"), "0.5 m", "incorrect"),
        (in_units("exact", "5", "cm"), "5 kg", "incorrect"),
        (in_units("exact", "5", "cm"), "5%", "incorrect"),
        (in_units("exact", "5", "cm"), "5 apples", "ask_again"),
        (in_units("exact", "5", "cm"), "5 5 cm", "ask_again"),
        (in_units("convert", "50", "cm"), "0.5 m", "correct"),
        (in_units("convert", "50", "cm"), "1/2 metre", "correct"),
        (in_units("convert", "50", "cm"), "0.49 m", "incorrect"),
        (in_units("convert", "50", "cm", tolerance=Absolute(amount="1")), "0.49 m", "correct"),
        (in_units("convert", "50", "cm", tolerance=Absolute(amount="1")), "0.48 m", "incorrect"),
        (in_units("convert", "50", "cm"), "50 kg", "incorrect"),
        (in_units("convert", "100", "\u00b0C", TEMPERATURES), "212 \u00b0F", "correct"),
        (in_units("convert", "100", "\u00b0C", TEMPERATURES), "100 \u2103", "correct"),
        (in_units("convert", "100", "\u00b0C", TEMPERATURES), "211 \u00b0F", "incorrect"),
        (in_units("convert", "0.5", "$", MONEY), "50\u00a2", "correct"),
        (in_units("convert", "0.5", "$", MONEY), "$0.50", "correct"),
        (in_units("convert", "-0.5", "$", MONEY), "-$0.50", "correct"),
        (in_units("convert", "-0.5", "$", MONEY), "$ -.5", "correct"),
        (in_units("convert", "50", "$", MONEY), "5$0", "ask_again"),
        (in_units("convert", "90", "min", TIMES), "1:30", "correct"),
        (in_units("convert", "90", "min", TIMES), "1:30 h", "correct"),
        (in_units("convert", "90", "min", TIMES), "1.5 h", "correct"),
        (in_units("convert", "90", "min", TIMES), "1:75", "ask_again"),
        (in_units("convert", "630", "min", TIMES), "10:30", "correct"),
        (in_units("exact", "9", "m\u00b2", (Unit(name="m\u00b2"),)), "9 m\u00b2", "correct"),
        (in_units("exact", "9", "m\u00b2", (Unit(name="m\u00b2"),)), "9 m^2", "correct"),
        (in_units("exact", "9", "m\u00b2", (Unit(name="m\u00b2"),)), "9 m", "incorrect"),
        (in_units("unit_only", "5", "cm"), "cm", "correct"),
        (in_units("unit_only", "5", "cm"), "Centimetres", "correct"),
        (in_units("unit_only", "5", "cm"), "m", "incorrect"),
        (in_units("unit_only", "5", "cm"), "kg", "incorrect"),
        (in_units("unit_only", "5", "cm"), "5 cm", "ask_again"),
        (in_units("exact", "300000000", "m/s", (Unit(name="m/s"),)), "3x10^8 m/s", "correct"),
    ],
)
def test_n9_units(question: Question, typed: str, expected: str) -> None:
    assert verdict(question, typed) == expected


def test_n9_the_right_number_with_a_wrong_unit_is_worth_what_the_question_says() -> None:
    assert mark(in_units("exact", "5", "cm"), "5 m").points == "0"
    assert mark(in_units("exact", "5", "cm", wrong_unit_credit="0.5"), "5 m").points == "1/2"
    assert mark(in_units("convert", "5", "cm", wrong_unit_credit="0.5"), "5 m").points == "1/2"
    assert mark(in_units("exact", "5", "cm", wrong_unit_credit="0.5"), "6 m").points == "0"


@pytest.mark.parametrize(
    ("typed", "key", "locale"),
    [
        ("five", "5", "en"),
        ("Twenty-one", "21", "en"),
        ("ninety nine", "99", "en"),
        ("one half", "1/2", "en"),
        ("a half", "1/2", "en"),
        ("three quarters", "3/4", "en"),
        ("two and three quarters", "11/4", "en"),
        ("one hundred and five", "105", "en"),
        ("two thousand three hundred", "2300", "en"),
        ("one million and one", "1000001", "en"),
        ("minus seven", "-7", "en"),
        ("zero", "0", "en"),
        ("f\u00fcnf", "5", "de"),
        ("vingt", "20", "fr"),
        ("dieci", "10", "it"),
        ("ocho", "8", "es"),
    ],
)
def test_n10_number_words_are_read_where_the_question_says_so(typed: str, key: str, locale: str) -> None:
    assert verdict(number(key, number_words=True), typed, locale) == "correct"
    assert mark(number(key), typed, locale).code == "unreadable"


@pytest.mark.parametrize(
    "typed",
    [
        "five five",
        "one hundred x",
        "twenty hundred",
        "twenty x",
        "x hundred",
        "and five",
        "half",
        "five and",
        "hundred",
        "twenty ten",
        "one and",
        "minus",
        "two thousand million",
    ],
)
def test_n10_other_words_are_no_number(typed: str) -> None:
    assert mark(number("5", number_words=True), typed).code == "unreadable"


def test_n11_the_first_mistake_that_matches_is_answered_with_its_own_words_and_credit() -> None:
    mistakes = (
        Mistake(answer="0.2", feedback="Which is the whole?"),
        Mistake(answer="2", feedback="Upside down.", credit="1/4"),
        Mistake(answer="2.0", feedback="Never said."),
    )
    question = number("1/2", mistakes=mistakes)

    upside_down, whole = mark(question, "4/2"), mark(question, "20%")
    assert (upside_down.verdict, upside_down.points, upside_down.feedback) == ("correct", "1/4", "Upside down.")
    assert (whole.verdict, whole.points, whole.feedback, whole.rule) == ("incorrect", "0", "Which is the whole?", "N11")
    assert mark(question, "3").feedback is None


def test_n11_the_key_is_never_a_mistake() -> None:
    marked = mark(number("1/2", mistakes=(Mistake(answer="2/4", feedback="Simplify."),)), "2/4")

    assert (marked.verdict, marked.feedback) == ("correct", None)


def test_a_blank_whose_key_cannot_be_read_has_no_right_answer_and_yet_a_mark() -> None:
    blank = NumberBlank(accepted=("\u03c0", "", "1/0"))

    assert {verdict(number(*blank.accepted), typed) for typed in ("3", "0", "1")} == {"incorrect"}
