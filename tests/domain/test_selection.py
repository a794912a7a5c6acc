"""Selection: nothing twice, skills in turn, families as one, a shortage said, and the same set for the same inputs."""

import random
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from uuid import UUID, uuid5

import pytest

from domain.question import Difficulty
from domain.selection import Candidate, Selection, Shelf, select

NAMES = UUID("6a1f5b8e-52c3-4c7e-9a53-0d5d2f5b9a10")
LABELS: tuple[Difficulty, ...] = ("easy", "medium", "hard", "challenge")


def candidate(n: int, skill: str = "adding", difficulty: Difficulty = "easy", family: str = "") -> Candidate:
    return Candidate(uuid5(NAMES, str(n)), 1, skill, difficulty, family or f"family {n}")


def draw(
    shelf: Shelf,
    count: int = 5,
    *,
    seed: str = "seed",
    served: Mapping[str, int] | None = None,
    difficulty: Difficulty | None = None,
) -> Selection:
    return select(shelf, seed=seed.encode(), count=count, served=served or {}, difficulty=difficulty)


def families(selection: Selection) -> list[str]:
    return [chosen.candidate.family for chosen in selection.chosen]


def test_ten_thousand_random_starts_keep_every_rule_and_come_out_the_same_again() -> None:
    random_cases = random.Random(20261122)  # noqa: S311  cases, no secrets
    for case in range(10_000):
        candidates = [
            candidate(
                n,
                f"skill {random_cases.randrange(3)}",
                random_cases.choice(LABELS),
                f"family {random_cases.randrange(12)}",
            )
            for n in range(random_cases.randrange(25))
        ]
        served = {
            f"family {n}": nth for nth, n in enumerate(random_cases.sample(range(12), random_cases.randrange(12)))
        }
        count, difficulty = random_cases.randrange(1, 12), random_cases.choice([*LABELS, None])
        shelf = Shelf(candidates)

        selection = draw(shelf, count, seed=f"{case}", served=served, difficulty=difficulty)

        fitting = {one.family for one in candidates if difficulty in {None, one.difficulty}}
        names = families(selection)
        assert len(set(names)) == len(names), "no family twice"
        assert set(names) <= fitting
        assert len(names) + selection.short_by == count
        assert len(names) == min(count, len(fitting)), "short only where there is nothing more"
        if set(names) & served.keys():
            assert fitting - served.keys() <= set(names), "nothing again while something unseen is left"
        assert all(0 < chosen.probability <= 1 for chosen in selection.chosen)
        random_cases.shuffle(candidates)
        assert draw(Shelf(candidates), count, seed=f"{case}", served=served, difficulty=difficulty) == selection


def test_skills_take_turns() -> None:
    shelf = Shelf([candidate(n, f"skill {n % 4}") for n in range(40)])

    for seed in range(50):
        counts = Counter(chosen.candidate.skill for chosen in draw(shelf, 10, seed=str(seed)).chosen)

        assert sorted(counts.values()) == [2, 2, 3, 3]


def test_a_skill_with_little_gives_its_turns_to_the_others() -> None:
    shelf = Shelf([candidate(0, "rare"), *(candidate(n, "common") for n in range(1, 10))])

    selection = draw(shelf, 6)

    assert Counter(chosen.candidate.skill for chosen in selection.chosen) == {"rare": 1, "common": 5}
    assert selection.short_by == 0


def test_what_was_served_longest_ago_comes_back_first() -> None:
    shelf = Shelf([candidate(n) for n in range(4)])
    served = {"family 0": 7, "family 1": 3, "family 2": 9}

    assert families(draw(shelf, 3, served=served)) == ["family 3", "family 1", "family 0"]


def test_of_a_family_any_variant_may_come() -> None:
    shelf = Shelf([candidate(n, family="one") for n in range(3)])

    drawn = [draw(shelf, 5, seed=str(seed)) for seed in range(60)]

    assert all((len(one.chosen), one.short_by) == (1, 4) for one in drawn)
    assert {one.chosen[0].candidate.id for one in drawn} == {candidate(n).id for n in range(3)}
    assert drawn[0].chosen[0].probability == Fraction(1, 3)


def test_only_the_difficulty_asked_for_is_served() -> None:
    shelf = Shelf([candidate(n, difficulty=LABELS[n % 4]) for n in range(8)])

    selection = draw(shelf, 5, difficulty="hard")

    assert {chosen.candidate.difficulty for chosen in selection.chosen} == {"hard"}
    assert selection.short_by == 3


@pytest.mark.parametrize("difficulty", [None, "challenge"])
def test_an_empty_shelf_is_a_shortage(difficulty: Difficulty | None) -> None:
    assert draw(Shelf([]), 5, difficulty=difficulty) == Selection((), 5)


def test_everything_unseen_is_alike_likely_and_the_probability_says_so() -> None:
    shelf = Shelf([candidate(n) for n in range(6)])
    served = {"family 5": 1}

    first = Counter(families(draw(shelf, 1, seed=str(seed), served=served))[0] for seed in range(5000))

    assert first.keys() == {f"family {n}" for n in range(5)}
    assert all(900 < times < 1100 for times in first.values())
    chances = [chosen.probability for chosen in draw(shelf, 5, served=served).chosen]
    assert chances == [Fraction(1, left) for left in (5, 4, 3, 2, 1)]


def test_a_set_that_was_drawn_once_is_drawn_for_ever() -> None:
    shelf = Shelf([candidate(n, f"skill {n % 3}", LABELS[n % 2]) for n in range(30)])

    assert families(draw(shelf, 8, seed="for ever", served={"family 3": 1, "family 7": 2})) == [
        *("family 13", "family 0", "family 23", "family 4"),
        *("family 18", "family 29", "family 1", "family 24"),
    ]
