"""Defects: each by its code, and none in a sound question."""

import pytest

from domain.defects import defects_of
from domain.question import (
    Absolute,
    Example,
    FillIn,
    ListBlank,
    Mistake,
    MultipleChoice,
    NumberBlank,
    Option,
    Precision,
    Question,
    Range,
    RatioBlank,
    Relative,
    TextBlank,
    TimeBlank,
    Unit,
    Units,
)
from tests.domain.questions import a_question, blank, choice, number, statement, text

CM = Unit(name="cm")
NONE = Option(id="n", text="None", role="none_of_the_above")
TWO = (Option(id="a", text="red"), Option(id="b", text="blue"))
CREDITED = Mistake(answer="4", feedback="No.", credit="3/2")
EQUAL = Mistake(answer="6/2", feedback="No.")
ELSEWHERE = Mistake(answer="4", feedback="No.", blank=1)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (number("3").model_copy(update={"stem": " \u200b"}), "empty_stem"),
        (choice("a", options=(*TWO, Option(id="c", text=" "))), "empty_option"),
        (choice("a", options=(*TWO, Option(id="c", text=" RED"))), "options_repeated"),
        (choice("a", options=(*TWO, Option(id="a", text="green"))), "option_ids_repeated"),
        (choice("a", options=(*TWO, Option(id="c", text="a"))), "option_text_is_an_id"),
        (choice("a", options=TWO[:1]), "too_few_options"),
        (choice(), "no_key"),
        (choice("z"), "key_not_among_options"),
        (choice("a", "a", several=True), "key_not_among_options"),
        (choice("a", "b"), "several_keys"),
        (choice("a", "n", options=(*TWO, NONE), several=True), "key_excludes_itself"),
        (statement(key=True, options=TWO), "options_of_a_statement"),
        (blank(), "no_blank"),
        (number(), "no_key"),
        (text(), "no_key"),
        (blank(ListBlank(kind="set", items=())), "no_key"),
        (text(" "), "empty_key"),
        (text("* *", wildcards=True), "everything_is_right"),
        (text("red; blue"), "several_values"),
        (number("3, 4"), "several_values"),
        (number("3 and 4"), "several_values"),
        (number("3:4"), "several_values"),
        (number("2:30"), "several_values"),
        (number("3;4"), "several_values"),
        (number("2x"), "unreadable_key"),
        (number("\u03c0"), "unreadable_key"),
        (number("1/0"), "unreadable_key"),
        (number(""), "unreadable_key"),
        (number("12 apples"), "unreadable_key"),
        (blank(RatioBlank(accepted=("3",))), "unreadable_key"),
        (blank(TimeBlank(accepted=("noon",))), "unreadable_key"),
        (blank(ListBlank(kind="list", items=(NumberBlank(accepted=("x",)),))), "unreadable_key"),
        (number("0", tolerance=Relative(amount="0.1")), "relative_to_zero"),
        (number("3", tolerance=Absolute(amount="-0.1")), "negative_tolerance"),
        (number("3", tolerance=Range(low="4", high="2")), "empty_range"),
        (number("1/3"), "rounding_unstated"),
        (number("1/3", forms=("decimal", "proper")), "rounding_unstated"),
        (number("1/2", forms=("integer",)), "key_not_in_forms"),
        (number("1/2", forms=("mixed",)), "key_not_in_forms"),
        (number("3", units=Units(expected="m", table=(CM,))), "unit_not_in_table"),
        (number("3", units=Units(expected="cm", table=(CM, CM))), "unit_not_in_table"),
        (
            number("3", units=Units(mode="convert", expected="cm", table=(Unit(name="cm", factor="0"),))),
            "unit_without_size",
        ),
        (number("3", units=Units(expected="%", table=(Unit(name="%"),))), "percent_as_unit"),
        (number("3", mistakes=(CREDITED,)), "credit_out_of_range"),
        (number("3", mistakes=(ELSEWHERE,)), "mistake_without_blank"),
        (number("3", mistakes=(EQUAL,)), "mistake_never_made"),
        (number("3", mistakes=(Mistake(answer="lots", feedback="No."),)), "mistake_never_made"),
        (choice("a", mistakes=(Mistake(answer="a", feedback="No."),)), "mistake_never_made"),
        (choice("a", mistakes=(Mistake(answer="green", feedback="No."),)), "mistake_never_made"),
        (statement(key=True, mistakes=(Mistake(answer="true", feedback="No."),)), "mistake_never_made"),
        (number("3").model_copy(update={"accept": (Example(answer="4"),)}), "example_fails"),
        (number("3").model_copy(update={"accept": (Example(answer="3 000", locale="de"),)}), "example_fails"),
        (number("3").model_copy(update={"reject": (Example(answer="6/2"),)}), "example_fails"),
    ],
)
def test_a_defect_has_its_name(question: Question, code: str) -> None:
    assert code in {defect.code for defect in defects_of(question)}


@pytest.mark.parametrize(
    "question",
    [
        number("3", mistakes=(Mistake(answer="4", feedback="No.", credit="1/2"),)),
        number("1/3", forms=("proper",)),
        number("1/3", precision=Precision(kind="decimal_places", digits=2)),
        number("1/3", tolerance=Absolute(amount="0.01")),
        number("1/2", forms=("percent",)),
        number("2", forms=("decimal",)),
        number("3/2", forms=("mixed",)),
        number("4/2", forms=("improper",)),
        number("1/2", forms=("ratio",)),
        number("1,000"),
        number("50", stem_unit="%"),
        number("0", tolerance=Absolute(amount="0.1")),
        number("0", tolerance=Absolute(amount="0")),
        number("0", tolerance=Range(low="0", high="0")),
        number("3", units=Units(expected="cm", table=(CM,))),
        number(units=Units(mode="unit_only", expected="cm", table=(CM,))),
        text("caf\u00e9", mistakes=(Mistake(answer="cafe", feedback="Mind the accent."),)),
        text("photo*", wildcards=True),
        choice("a", "c", several=True),
        choice("n", options=(*TWO, NONE), several=True, mistakes=(Mistake(answer="a", feedback="No."),)),
        statement(key=False, mistakes=(Mistake(answer="true", feedback="No."),)),
        blank(RatioBlank(accepted=("3:4",)), TimeBlank(accepted=("9:05",)), TextBlank(accepted=("x",))),
        a_question(
            FillIn(blanks=(NumberBlank(accepted=("1000",)),)),
            accept=(Example(answer="1.000", locale="de"), Example(answer="1,000")),
            reject=(Example(answer="1.000"), Example(answer=""), Example(answer=True)),
        ),
        a_question(
            MultipleChoice(key=("a",)), options=TWO, accept=(Example(answer=("a",)),), reject=(Example(answer="b"),)
        ),
    ],
)
def test_a_sound_question_has_none(question: Question) -> None:
    assert defects_of(question) == []


def test_a_defect_of_a_blank_says_of_which() -> None:
    question = blank(NumberBlank(accepted=("3",)), NumberBlank(accepted=("x",)))

    assert [(defect.code, defect.blank) for defect in defects_of(question)] == [("unreadable_key", 1)]
