"""Explain: the steps end with the mark that grading gives, whatever is asked."""

from hypothesis import given
from hypothesis import strategies as st

from domain.grading.explain import explain
from domain.grading.mark import mark
from domain.question import Absolute, ListBlank, Question, RatioBlank, TimeBlank, Unit, Units
from tests.domain.grading.test_properties import ANSWERS, LOCALE_TAGS, MANY, questions
from tests.domain.questions import blank, choice, number, statement, text


def told(question: Question, typed: object, locale: str = "en") -> dict[str, str]:
    return {step.does: step.finds for step in explain(question, typed, locale)}


@MANY
@given(questions(), ANSWERS, st.sampled_from(LOCALE_TAGS))
def test_every_mark_can_be_explained(question: Question, answer: object, locale: str) -> None:
    marked = mark(question, answer, locale)

    judged = explain(question, answer, locale)[-1]

    assert judged.does == "judged"
    assert judged.finds.startswith(marked.verdict)
    assert f"by rule {marked.rule}," in judged.finds


def test_a_number_is_explained_from_what_was_typed_to_its_value() -> None:
    steps = told(number("1.5", tolerance=Absolute(amount="0.1")), "1\u00bd", "de")

    assert steps["typed"] == "'1\\xbd'"
    assert steps["locale"] == "'de': decimals behind ',', groups apart by '.' or a space"
    assert steps["plain notation"] == "'1 1/2'"
    assert steps["grammar"] == "mixed, worth 3/2"
    assert steps["key"] == "1.5: 3/2 within absolute amount 0.1"


def test_what_cannot_be_read_is_explained_as_far_as_it_was() -> None:
    assert told(number("1"), "1,00")["grammar"] == "not a number here: bad_grouping"
    assert told(number("1"), " ")["plain notation"] == "blank"
    assert told(number("1"), "9" * 300)["typed"] == "300 characters"
    assert told(number("\u03c0"), "3")["key"] == "\u03c0: cannot be read"


def test_units_words_and_choices_are_explained_too() -> None:
    metres = number("5", units=Units(expected="m", table=(Unit(name="m"),)))

    assert told(metres, "5 m")["unit"] == "m"
    assert told(text("caf\u00e9", spelling_tolerance=True), "Cafe!")["compared"] == "'cafe' with the key 'caf\u00e9'"
    assert told(blank(RatioBlank(accepted=("3:4",))), "6:8")["ratio"] == "(6, 8), in lowest terms (3, 4)"
    assert told(blank(TimeBlank(accepted=("1:00",))), "0:59")["time"] == "3540 s"
    assert told(blank(ListBlank(kind="set", items=())), "1, 2")["set"] == "['1', '2'], 0 asked for"
    assert told(choice("a"), "green")["chosen"] == "b"
    assert told(statement(key=True), "no")["key"] == "true"
