"""Examples: derived from the key, they hold for every question that has no defect, and break when the key is wrong."""

from collections.abc import Sequence

import pytest

from domain.defects import defects_of
from domain.examples import failing_examples, with_examples
from domain.question import (
    Absolute,
    Example,
    FillIn,
    ListBlank,
    NumberBlank,
    Precision,
    Question,
    RatioBlank,
    TextBlank,
    TimeBlank,
)
from tests.domain.questions import a_question, choice, number, statement, text
from tests.domain.test_question import CENTIMETRES


def answers(examples: Sequence[Example]) -> list[object]:
    return [example.answer for example in examples]


def test_a_number_is_right_in_every_form_and_wrong_beside_it() -> None:
    question = with_examples(number("1500"))

    assert answers(question.accept) == ["1500", "1500.0", "150000%", "1.5\u00d710^3", "1,500"]
    assert answers(question.reject) == ["1499", "1501", "-1500"]


def test_the_other_options_are_wrong() -> None:
    question = with_examples(choice("b"))

    assert (answers(question.accept), answers(question.reject)) == (["b"], ["a", "c"])


def test_the_opposite_is_wrong() -> None:
    question = with_examples(statement(key=True))

    assert (answers(question.accept)[0], answers(question.reject)[0]) == (True, False)


def test_examples_of_the_author_come_behind_and_are_there_once() -> None:
    own = (Example(answer="five hundred"), Example(answer="1500"))

    question = with_examples(number("1500").model_copy(update={"accept": own}))
    again = with_examples(question)

    assert answers(question.accept)[-1] == "five hundred"
    assert again == question


@pytest.mark.parametrize(
    "question",
    [
        number("0"),
        number("-7"),
        number("2.50"),
        number("7", "8"),
        number("1/3", forms=("proper",)),
        number("3/4", simplify="enforced"),
        number("2/4", simplify="required"),
        number("1 1/2", forms=("mixed",), strict=True),
        number("5", tolerance=Absolute(amount="0.5")),
        number("3.14159", precision=Precision(kind="decimal_places", digits=2)),
        number("50", asks_percent=True),
        number("120", units=CENTIMETRES),
        number("0.0000000000000000000000001"),
        text("cat"),
        text("Stra\u00dfe", "stra\u00dfen"),
        text("NaCl", case_sensitive=True),
        text("colour", spelling_tolerance=True),
        text("a*b", wildcards=True),
        text("42nd!"),
        choice("a", "c", several=True),
        choice("a", "c", several=True, credit="proportional"),
        statement(key=False),
        a_question(FillIn(blanks=(RatioBlank(accepted=("3:4",)),))),
        a_question(FillIn(blanks=(RatioBlank(accepted=("3:3",), simplify="optional"),))),
        a_question(FillIn(blanks=(TimeBlank(accepted=("12:34",)),))),
        a_question(FillIn(blanks=(NumberBlank(accepted=("1",)), TextBlank(accepted=("cat",))))),
        a_question(FillIn(blanks=(NumberBlank(accepted=("1",)), TextBlank(accepted=("cat",))), credit="proportional")),
        a_question(
            FillIn(blanks=(ListBlank(kind="set", items=(NumberBlank(accepted=("1",)), TextBlank(accepted=("b",)))),))
        ),
    ],
)
def test_what_is_derived_holds(question: Question) -> None:
    assert defects_of(question) == []

    assert defects_of(with_examples(question)) == []


def test_what_was_derived_from_another_key_does_not_hold() -> None:
    derived = with_examples(number("1500"))

    wrong = derived.model_copy(update={"grading": number("1499").grading})

    assert {told.split(":")[0] for told in failing_examples(wrong)} == {"accepted", "rejected"}
