"""Question lines: what a line becomes, what is refused, and that a written line is read back as the same question."""

import json
from typing import Any
from uuid import UUID

import pytest

from domain.banked_question import check_publishable
from domain.errors import QuestionRefused
from domain.question import Blank, FillIn, MultipleChoice, NumberBlank, Question, TextBlank, TrueFalse
from domain.question_line import QUESTIONS, Labels, question_id, read_line, write_line
from tests.domain.questions import a_question, choice, number, statement, text
from tests.history.examples import FULL

BASE = {"id": "sums:1", "grade": 2, "subject": "math", "topic": "addition", "explanation": ""}


def line(**fields: object) -> str:
    return json.dumps(BASE | fields)


def fill_in(key: object, **fields: object) -> str:
    return line(**{"type": "fill_in_blank", "question": "How many?", "options": None, "correct_answer": key} | fields)


def choose(key: object, *options: str, **fields: object) -> str:
    fixed = {"type": "multiple_choice", "question": "Which?", "options": options or ("red", "green", "blue")}
    return line(**fixed | {"correct_answer": key} | fields)


def blank_of(key: object) -> Blank:
    grading = read_line(fill_in(key)).grading
    assert isinstance(grading, FillIn)
    [blank] = grading.blanks
    return blank


def codes_of(raw: str, labels: Labels = Labels()) -> list[str]:  # noqa: B008  immutable
    with pytest.raises(QuestionRefused) as refused:
        read_line(raw, labels)
    reasons: Any = refused.value.facts["reasons"]
    return [reason.code for reason in reasons]


@pytest.mark.parametrize(
    ("key", "accepted"),
    [
        ("72", "72"),
        (72, "72"),
        ("1,080", "1080"),
        ("109,200,000", "109200000"),
        ("-3", "-3"),
        ("\u22123", "-3"),
        (" 0.50 ", "0.50"),
        ("3/4", "3/4"),
        ("\u00bd", "1/2"),
        ("1 1/2", "1 1/2"),
    ],
)
def test_a_numeric_key_asks_for_a_number(key: object, accepted: str) -> None:
    assert blank_of(key) == NumberBlank(accepted=(accepted,))


def test_a_key_without_a_finite_decimal_asks_for_a_fraction() -> None:
    assert blank_of("1/3") == NumberBlank(accepted=("1/3",), forms=("proper", "improper", "mixed"))


def test_a_key_in_percent_asks_for_a_percentage() -> None:
    assert blank_of("50%") == NumberBlank(accepted=("50",), asks_percent=True)


@pytest.mark.parametrize("key", ["cat", "Mount Everest", "5 cm", "Paris, France", "rock and roll"])
def test_another_key_asks_for_words(key: str) -> None:
    assert blank_of(key) == TextBlank(accepted=(key,))


def test_several_keys_are_several_blanks() -> None:
    grading = read_line(fill_in(["7", "cat"])).grading

    assert grading == FillIn(blanks=(NumberBlank(accepted=("7",)), TextBlank(accepted=("cat",))))


@pytest.mark.parametrize("key", ["3, 4", "3 and 4", "1; 2; 3", "3:4", "9:05", "5 or 6", "1 | 2"])
def test_a_key_of_several_values_is_refused_until_the_line_says_how_they_are_judged(key: str) -> None:
    assert codes_of(fill_in(key)) == ["several_values"]


@pytest.mark.parametrize(("key", "holds"), [("true", True), (" False", False), (True, True), ("no", False)])
def test_a_statement_is_true_or_false(key: object, holds: bool) -> None:  # noqa: FBT001  a parameter
    raw = line(type="true_false", question="Is it?", options=["true", "false"], correct_answer=key)

    question = read_line(raw)

    assert (question.grading, question.options) == (TrueFalse(key=holds), ())


@pytest.mark.parametrize(("key", "chosen"), [("green", "b"), ("GREEN ", "b"), ("b", "b"), ("C", "c"), ("  Blue", "c")])
def test_the_key_of_a_choice_is_a_text_or_a_letter(key: str, chosen: str) -> None:
    question = read_line(choose(key))

    assert question.grading == MultipleChoice(key=(chosen,))
    assert [(option.id, option.text) for option in question.options] == [("a", "red"), ("b", "green"), ("c", "blue")]


def test_options_may_have_ids_of_their_own() -> None:
    question = read_line(choose("y", option_ids=["x", "y", "z"]))

    assert question.grading == MultipleChoice(key=("y",))


def test_options_that_are_letters_are_not_mistaken_for_ids() -> None:
    question = read_line(choose("a", "c", "a", "t"))

    [key] = [option for option in question.options if option.id in question.grading.key]  # type: ignore[operator, union-attr]
    assert key.text == "a"
    check_publishable(question)


def test_several_right_options_are_asked_for() -> None:
    assert read_line(choose(["red", "c"])).grading == MultipleChoice(key=("a", "c"), several=True)


@pytest.mark.parametrize(
    ("option", "role"),
    [
        ("None of the above.", "none_of_the_above"),
        ("none of these", "none_of_the_above"),
        ("All of the above", "all_of_the_above"),
        ("all of the above planets", "ordinary"),
    ],
)
def test_options_that_speak_of_the_others_have_their_role(option: str, role: str) -> None:
    assert read_line(choose("red", "red", "green", option)).options[2].role == role


def test_an_id_that_is_a_uuid_is_kept_and_any_other_is_the_source() -> None:
    own = "5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11"

    named, known = read_line(fill_in("7")), read_line(fill_in("7", id=own))

    assert (named.id, named.source) == (question_id("sums:1"), "sums:1")
    assert (known.id, known.source) == (UUID(own), None)
    assert question_id(own.upper()) != UUID(own)
    assert named.id.version == 5
    assert question_id("sums:1") != QUESTIONS


def test_labels_fill_what_a_line_lacks_or_override_it() -> None:
    bare = fill_in("7", grade=None, topic=None)

    filled = read_line(bare, Labels(5, "science", "numbers"))
    overridden = read_line(bare, Labels(5, "science", None, overriding=True)._replace(topic="numbers"))
    kept = read_line(fill_in("7"), Labels(overriding=True))

    assert (filled.grade, filled.subject, filled.topic) == (5, "math", "numbers")
    assert (overridden.grade, overridden.subject, overridden.topic) == (5, "science", "numbers")
    assert (kept.grade, kept.subject, kept.topic) == (2, "math", "addition")
    assert codes_of(bare) == ["no_label"]


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("", ["no_json"]),
        ("[]", ["no_json"]),
        ('{"id": "x"', ["no_json"]),
        (fill_in("7", typo="x"), ["misshapen"]),
        (fill_in("7", grade=9), ["misshapen"]),
        (fill_in("7", grade="3"), ["misshapen"]),
        (fill_in(2.5), ["misshapen"]),
        (line(type="essay", question="Why?", correct_answer="x", grade=11), ["misshapen", "misshapen"]),
        (fill_in(None), ["no_key"]),
        (fill_in(""), ["no_key"]),
        (fill_in([]), ["no_key"]),
        (fill_in("cat", options=["cat", "dog"]), ["options_of_a_blank"]),
        (fill_in(True), ["unreadable_key"]),
        (choose("violet"), ["key_not_among_options"]),
        (choose("red", option_ids=["x"]), ["misshapen"]),
        (line(type="true_false", question="Is it?", correct_answer="perhaps"), ["unreadable_key"]),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reasons(raw: str, codes: list[str]) -> None:
    assert codes_of(raw) == codes


def test_reasons_name_the_field_and_never_what_it_holds() -> None:
    with pytest.raises(QuestionRefused) as refused:
        read_line(fill_in("7", grade="secret"))

    assert "grade: " in str(refused.value.facts)
    assert "secret" not in str(refused.value.facts)


@pytest.mark.parametrize(
    "raw",
    [
        fill_in("72"),
        fill_in("1,080"),
        fill_in("-2.5"),
        fill_in("1/3"),
        fill_in("3/4"),
        fill_in("50%"),
        fill_in("0"),
        fill_in("cat"),
        fill_in(["7", "cat"]),
        choose("green"),
        choose(["red", "c"]),
        choose("red", "red", "none of these"),
        line(type="true_false", question="Is it?", correct_answer=False),
    ],
)
def test_a_plain_line_can_be_published_with_examples_of_both_kinds(raw: str) -> None:
    question = read_line(raw)

    assert question.accept
    assert question.reject
    check_publishable(question)


@pytest.mark.parametrize(
    "question",
    [
        FULL.model_copy(update={"version": 1}),
        number("1/2"),
        text("cat"),
        choice("a", "c", several=True),
        statement(key=False),
        a_question(FillIn(blanks=(NumberBlank(accepted=("5",), tolerance=None),)), family="own", hints=("Count.",)),
        read_line(choose("red", "red", "none of these", mistakes=[{"answer": "b", "feedback": "No."}])),
        read_line(fill_in("1,080", difficulty="hard", language="en-GB", licence="MIT", source="page 7")),
    ],
)
def test_a_written_line_is_read_back_as_the_same_question(question: Question) -> None:
    assert read_line(write_line(question)) == question


def test_a_written_line_is_of_the_contracts_shape() -> None:
    written = json.loads(write_line(read_line(choose("green"))))

    assert {name: written[name] for name in ("type", "question", "options", "correct_answer", "explanation")} == {
        "type": "multiple_choice",
        "question": "Which?",
        "options": ["red", "green", "blue"],
        "correct_answer": "green",
        "explanation": "",
    }
