"""Families: variants of one story are one family; short sums are each their own."""

import pytest

from domain.families import family_of

STORY = "Julia played tag with 5 kids on Monday and with 9 kids on Tuesday."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{STORY} How many kids did she play with?", f"{STORY} How many more on Tuesday?"),
        (f"{STORY} How many kids?", f"{STORY.replace('5', '1,200')} How many kids?"),
        (f"{STORY} How many kids?", f"{STORY[:-1]} How many kids?"),
        ("What is gravity?", "  what is  Gravity?"),
    ],
)
def test_alike(one: str, other: str) -> None:
    assert family_of(one) == family_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 4?", "What is 7 + 2?"),
        ("What is 3 + 4?", "What is 3 - 4?"),
        (f"{STORY} How many kids?", f"{STORY.replace('kids', 'friends')} How many kids?"),
        (
            "Read the sentence and choose the word that completes it best. The cat ___ on the mat.",
            "Read the sentence and choose the word that completes it best. The dog ___ in the sun.",
        ),
        ("How many sides does a hexagon have?", "How many sides does an octagon have?"),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    assert family_of(one) != family_of(other)
