"""Question: one version is a value that JSON keeps whole, and nothing in it is guessed."""

import json

import pytest
from pydantic import ValidationError

from domain.question import (
    Absolute,
    Example,
    FillIn,
    ListBlank,
    Mistake,
    NumberBlank,
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
from tests.domain.questions import a_question, choice, number, statement, text

CENTIMETRES = Units(
    mode="convert", expected="cm", table=(Unit(name="cm", factor="0.01"), Unit(name="m", also=("metre",)))
)
EVERYTHING = a_question(
    FillIn(
        blanks=(
            NumberBlank(accepted=("1/2",), tolerance=Absolute(amount="0.01"), units=CENTIMETRES, forms=("decimal",)),
            NumberBlank(accepted=("2",), tolerance=Relative(amount="1/100"), simplify="required"),
            NumberBlank(accepted=("3",), tolerance=Range(low="2", high="4", low_is_open=True), asks_percent=True),
            NumberBlank(accepted=("3",), precision=Precision(kind="significant_figures", digits=2)),
            TextBlank(accepted=("their",), spelling_tolerance=True, homophones=("there",)),
            RatioBlank(accepted=("3:4",)),
            TimeBlank(accepted=("9:05",)),
            ListBlank(kind="set", items=(NumberBlank(accepted=("1",)), TextBlank(accepted=("one",)))),
        ),
        credit="proportional",
    ),
    mistakes=(Mistake(answer="4", feedback="Count again.", credit="1/3", blank=3),),
    hints=("Draw it.",),
    accept=(Example(answer=("a", "b"), locale="de"), Example(answer="1")),
    reject=(Example(answer=True),),
)


@pytest.mark.parametrize("question", [EVERYTHING, choice("a", "c", several=True), statement(key=False), text("cat")])
def test_json_keeps_a_question_whole(question: Question) -> None:
    assert Question.model_validate_json(question.model_dump_json()) == question


def test_a_question_comes_back_from_the_json_of_an_event() -> None:
    stored = json.loads(EVERYTHING.model_dump_json())

    assert Question.__pydantic_validator__.validate_python(stored, strict=False) == EVERYTHING


def test_json_has_no_floating_numbers() -> None:
    def refuse(digits: str) -> None:
        raise AssertionError(digits)

    json.loads(EVERYTHING.model_dump_json(), parse_float=refuse)


@pytest.mark.parametrize(
    ("question", "name"),
    [(number("1"), "fill_in_blank"), (choice("a"), "multiple_choice"), (statement(key=True), "true_false")],
)
def test_the_type_is_the_way_it_is_graded(question: Question, name: str) -> None:
    assert question.type == name


@pytest.mark.parametrize(
    "changed", [{"version": 0}, {"grade": 9}, {"version": "1"}, {"colour": "red"}, {"difficulty": "impossible"}]
)
def test_a_field_that_breaks_its_rule_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        number("1").model_validate({**number("1").model_dump(), **changed})


@pytest.mark.parametrize("amount", ["1e5", "inf", "1_0", "0.1.2", "1/0", "\u0665", "", " 1", "1\n"])
def test_a_number_among_the_rules_has_one_notation(amount: str) -> None:
    with pytest.raises(ValidationError):
        Absolute(amount=amount)
