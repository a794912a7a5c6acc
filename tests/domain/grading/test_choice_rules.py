"""Choice rules: M1 to M7, each by its id."""

import pytest

from domain.grading.mark import mark
from domain.question import Mistake, Option, Question
from tests.domain.questions import choice, statement

COLOURS = (
    Option(id="r", text="Red"),
    Option(id="g", text="Green"),
    Option(id="b", text="Blue"),
    Option(id="n", text="None of the above", role="none_of_the_above"),
)
ONE = choice("g", options=COLOURS)
TWO = choice("r", "b", options=COLOURS, several=True)
NONE = choice("n", options=COLOURS, several=True)


@pytest.mark.parametrize("answer", ["g", "Green", " green ", "GREEN", ["g"], ("Green",), ["g", "g"], ["g", ""]])
def test_m1_an_option_is_chosen_by_its_id_or_its_text(answer: object) -> None:
    marked = mark(ONE, answer)

    assert (marked.verdict, marked.rule, marked.chosen, marked.read_as) == ("correct", "M1", ("g",), "Green")
    assert mark(ONE, "r").verdict == "incorrect"


@pytest.mark.parametrize("answer", ["z", "Purple", ["g", "z"], [True], [1], [["g"]], {"g"}, 3, True, b"g"])
def test_m1_what_is_no_option_is_asked_again(answer: object) -> None:
    marked = mark(ONE, answer)

    assert (marked.verdict, marked.code, marked.rule) == ("ask_again", "unknown_choice", "M1")


def test_m1_an_id_is_stronger_than_a_text_and_a_text_that_two_options_share_is_none() -> None:
    crossed = choice("a", options=(Option(id="a", text="b"), Option(id="b", text="a")))
    twins = choice("a", options=(Option(id="a", text="Yes"), Option(id="b", text="YES"), Option(id="c", text="no")))

    assert mark(crossed, "a").verdict == "correct"
    assert mark(twins, "yes").code == "unknown_choice"
    assert mark(twins, "Yes").chosen == ("a",)


def test_m1_an_option_may_be_longer_than_an_answer_that_is_typed() -> None:
    long = choice("a", options=(Option(id="a", text="x" * 300), Option(id="b", text="y")))

    assert mark(long, "x" * 300).verdict == "correct"
    assert mark(long, "x" * 301).code == "too_long"


@pytest.mark.parametrize("answer", ["", " ", None, [], (), [""], [" ", ""]])
@pytest.mark.parametrize("question", [ONE, TWO])
def test_m2_nothing_chosen_is_asked_again(question: Question, answer: object) -> None:
    marked = mark(question, answer)

    assert (marked.code, marked.rule) == ("nothing_chosen", "M2")


@pytest.mark.parametrize("answer", [["g", "r"], ["g", "n"]])
def test_m3_two_options_for_a_single_choice_are_asked_again(answer: list[str]) -> None:
    marked = mark(ONE, answer)

    assert (marked.code, marked.rule, marked.expected_count) == ("too_many_chosen", "M3", 1)


@pytest.mark.parametrize("answer", ["r", ["r"], ["r", "g", "b"]])
def test_m4_another_number_of_options_is_asked_again_with_the_number(answer: object) -> None:
    marked = mark(TWO, answer)

    assert (marked.code, marked.rule, marked.expected_count) == ("wrong_count", "M4", 2)


@pytest.mark.parametrize(
    ("credit", "answer", "points"),
    [
        ("all_or_nothing", ["b", "r"], "1"),
        ("all_or_nothing", ["b", "g"], "0"),
        ("proportional", ["b", "r"], "1"),
        ("proportional", ["b", "g"], "1/2"),
    ],
)
def test_m4_several_options_are_worth_all_or_their_part(credit: str, answer: list[str], points: str) -> None:
    assert mark(choice("r", "b", options=COLOURS, several=True, credit=credit), answer).points == points


def test_m5_none_of_the_above_excludes_all_others() -> None:
    assert (mark(TWO, ["r", "n"]).code, mark(TWO, ["r", "n"]).rule) == ("too_many_chosen", "M5")
    assert mark(TWO, "n").verdict == "incorrect"
    assert mark(NONE, ["n"]).verdict == "correct"
    assert mark(NONE, ["r"]).verdict == mark(NONE, ["r", "g"]).verdict == "incorrect"


@pytest.mark.parametrize(
    ("locale", "holds", "fails"),
    [
        ("en", ["true", "TRUE", " Yes ", "t", "1"], ["false", "No", "F", "0"]),
        ("de", ["wahr", "Ja", "richtig", "true", "1"], ["falsch", "Nein", "f", "false", "0"]),
        ("fr-FR", ["vrai", "Oui", "v", "true"], ["faux", "non", "F", "false"]),
        ("it", ["vero", "s\u00ec", "S\u00cc", "si"], ["falso", "no"]),
        ("es-MX", ["verdadero", "s\u00ed", "cierto"], ["falso", "no"]),
        ("ja", ["true", "1"], ["false", "0"]),
    ],
)
def test_m6_a_statement_holds_or_fails_in_the_learners_words(locale: str, holds: list[str], fails: list[str]) -> None:
    for key in (True, False):
        assert {mark(statement(key=key), one, locale).verdict for one in [*holds, True]} == {
            "correct" if key else "incorrect"
        }
        assert {mark(statement(key=key), one, locale).verdict for one in [*fails, False, [False]]} == {
            "incorrect" if key else "correct"
        }


@pytest.mark.parametrize(
    "answer", ["maybe", "y", "n", "yes.", "2", "vrai", "truee", "not true", "01", 1, 0, ["x"], {"a": 1}, [None], "1/1"]
)
def test_m6_nothing_else_does(answer: object) -> None:
    marked = mark(statement(key=True), answer, "en")

    assert (marked.verdict, marked.code, marked.rule) == ("ask_again", "unknown_choice", "M6")


def test_m6_a_statement_has_one_answer() -> None:
    assert mark(statement(key=True), ["true", "true"]).code == "too_many_chosen"
    assert mark(statement(key=True), "").code == mark(statement(key=True), None).code == "nothing_chosen"
    assert mark(statement(key=True), " " * 257).code == "too_long"
    assert mark(statement(key=True), " " * 252 + "true").verdict == "correct"
    assert mark(statement(key=False), "false").chosen == ("false",)


def test_m7_the_order_of_options_decides_nothing() -> None:
    shuffled = choice("g", options=(COLOURS[2], COLOURS[1], COLOURS[0], COLOURS[3]))

    assert [mark(shuffled, answer) for answer in "rgbn"] == [mark(ONE, answer) for answer in "rgbn"]


def test_a_distractor_is_answered_with_its_own_words() -> None:
    mistakes = (
        Mistake(answer="r", feedback="That is the sky at dusk."),
        Mistake(answer="true", feedback="Look again."),
    )

    assert mark(choice("g", options=COLOURS, mistakes=mistakes), "Red").feedback == "That is the sky at dusk."
    assert mark(choice("g", options=COLOURS, mistakes=mistakes), "b").feedback is None
    assert mark(statement(key=False, mistakes=mistakes), "yes").feedback == "Look again."
