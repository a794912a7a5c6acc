"""Likeness: repetitions are found whatever lies between them, and many questions take no longer each than few."""

import random

import pytest

from domain.likeness import Likeness
from domain.question import Option, Question
from tests.domain.questions import choice, number

STEM = "Mary bakes a cake with 11 cups of flour and 7 cups of sugar. How many cups does she need?"


def asking(stem: str) -> Question:
    return number("5").model_copy(update={"stem": stem})


def choosing(*texts: str) -> Question:
    return choice("o0", options=tuple(Option(id=f"o{n}", text=one) for n, one in enumerate(texts)))


def test_near_duplicates_whose_author_says_so_repeat_nothing() -> None:
    families = ("cakes", "cakes", "pies")
    asked = [
        asking(STEM.replace("11", str(at))).model_copy(update={"family": family}) for at, family in enumerate(families)
    ]

    likeness = Likeness()
    assert [likeness.add(at, one) for at, one in enumerate(asked)] == [None, None, ("near_duplicate", 0)]


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        (asking("What is 3 + 4?"), asking("what is  3 + 4?"), "duplicate"),
        (choosing("red", "blue"), choosing("Blue", "red "), "duplicate"),
        (choosing("red", "blue"), choosing("red", "green"), "repeated_stem"),
        (asking(STEM), asking(STEM.replace("11", "1,250")), "near_duplicate"),
        (asking(STEM), asking(STEM.replace("Mary", "John")), "near_duplicate"),
        (asking("What is 3 + 4?"), asking("What is 3 - 4?"), None),
        (asking("What is 3 + 4?"), asking("What is 7 + 2?"), None),
        (
            asking(STEM),
            asking(STEM.split(".", maxsplit=1)[0] + ". She has 9 of them. What is left of the cake after lunch?"),
            None,
        ),
    ],
)
def test_how_one_question_repeats_another(one: Question, other: Question, how: str | None) -> None:
    likeness = Likeness()

    assert likeness.add(7, one) is None
    assert likeness.add(9, other) == (how and (how, 7))


def test_repetitions_are_found_among_many() -> None:
    chance = random.Random(4)  # noqa: S311  a repeatable bank
    words = [f"{a}{b}" for a in "bcdfghklmn" for b in ("ar", "el", "in", "or", "ust")]
    stems = [" ".join(chance.choices(words, k=20)) for _ in range(1000)]
    likeness = Likeness()

    first = [likeness.add(number, asking(stem)) for number, stem in enumerate(stems)]
    again = [likeness.add(1000 + number, asking(f"{stem} so")) for number, stem in enumerate(stems)]

    assert set(first) == {None}
    assert sum(found == ("near_duplicate", number) for number, found in enumerate(again)) >= 990
