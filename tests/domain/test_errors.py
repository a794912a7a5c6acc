"""Errors: each is in the tree that a newcomer reads, says what may be known, and repeats nothing."""

from collections.abc import Iterator

import pytest

from domain import errors
from domain.errors import AfterschoolError


def tree(error: type[AfterschoolError], depth: int = 0) -> Iterator[tuple[int, str, type[AfterschoolError]]]:
    yield depth, error.__name__, error
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


ALL = [error for _, _, error in tree(AfterschoolError)]


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.startswith(("A", "├", "└", "│"))]

    assert [(line.index(line.strip("│├└─ ")) // 4, line.strip("│├└─ ").split()[0]) for line in drawn] == [
        (depth, name) for depth, name, _ in tree(AfterschoolError)
    ]


@pytest.mark.parametrize("error", ALL)
def test_the_message_is_the_docstring_and_the_facts_stay_beside_it(error: type[AfterschoolError]) -> None:
    raised = error(email="ada@example.org")

    assert str(raised) == " ".join((error.__doc__ or "").split())
    assert "ada" not in str(raised)
    assert raised.facts == {"email": "ada@example.org"}
