"""Smells: what gives a key away or breaks a text is named, and what only looks like it is not."""

import pytest

from domain.question import FillIn, Option, Question, TextBlank
from domain.smells import smells_of
from tests.domain.questions import a_question, choice, number, text


def options(*texts: str) -> tuple[Option, ...]:
    return tuple(Option(id=f"o{n}", text=one) for n, one in enumerate(texts))


def asking(stem: str, question: Question) -> Question:
    return question.model_copy(update={"stem": stem})


TWO_WORDS = (TextBlank(accepted=("eight",)), TextBlank(accepted=("a spider",)))
CAT = choice("o0", options=options("a cat", "a dog", "a bird"))
LONG = "because plants turn light, water and carbon dioxide into sugar and oxygen"


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (asking("The animal that a Cat likes: which says meow, a cat?", CAT), "key_in_stem"),
        (asking("Spell the colour purple: ____", text("purple")), "key_in_stem"),
        (choice("o0", options=options(LONG, "by magic", "they do not")), "unbalanced_options"),
        (asking("How many legs has a spider?", text("eight")), "no_number"),
        (asking("What is the sum of 2 and 2?", text("2+2=4")), "no_number"),
        (asking("x" * 1_501, number("5")), "overlong_text"),
        (choice("o0", options=options("x " * 126, "y " * 126)), "overlong_text"),
        (asking("Which word?", text("x" * 81)), "overlong_text"),
        (number("5").model_copy(update={"explanation": "x" * 4_001}), "overlong_text"),
        (number("5").model_copy(update={"hints": ("x" * 501,)}), "overlong_text"),
        (number("5").model_copy(update={"hints": (" ",)}), "empty_hint"),
        (asking("What is <b>this?", number("5")), "broken_markup"),
        (asking("Is 5&nbsp;cm more?", number("5")), "broken_markup"),
        (asking("It\u00e2\u20ac\u2122s how long?", number("5")), "broken_markup"),
        (asking("Caf\u00c3\u00a9?", number("5")), "broken_markup"),
        (asking("What\ufffd?", number("5")), "broken_markup"),
        (asking(r"What is \(\frac{1}{2}?", number("5")), "broken_markup"),
        (asking(r"What is \frac{1{2}?", number("5")), "broken_markup"),
        (number("5").model_copy(update={"explanation": "```\nx = 5"}), "broken_markup"),
        (choice("o0", options=options("<i>red", "blue</i>")), "broken_markup"),
    ],
)
def test_named(question: Question, code: str) -> None:
    assert [smell.code for smell in smells_of(question)] == [code]


@pytest.mark.parametrize(
    "question",
    [
        CAT,
        number("5"),
        asking("Which is bigger, a cat or a dog?", CAT),
        asking("Concatenate the words.", choice("o0", options=options("cat", "dog"))),
        asking("Is it A or B?", choice("o0", options=options("A", "B"))),
        asking("There are 5 cats. How many cats are there?", number("5")),
        asking(
            "How many legs has it, and what is it called?", a_question(FillIn(blanks=(TextBlank(accepted=("a",)),) * 2))
        ),
        asking("If 3 < 5 and 7 > 5, and you have $5 & $6: caf\u00e9 \u00c5ngstr\u00f6m?", number("5")),
        asking("What is <b>this</b> and <sub>that</sub>?", number("5")),
        asking(r"What is \(\frac{1}{2}\)?", number("5")),
        choice("o0", options=options("a longer option than the others", "short", "tiny")),
        choice("o0", "o1", options=options(LONG, "b", "c"), several=True),
    ],
)
def test_not_named(question: Question) -> None:
    assert smells_of(question) == []
