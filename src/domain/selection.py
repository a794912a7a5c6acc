"""Selection: which questions a child is served; the same inputs give the same set, on every machine and for ever.

The rules: drawn by a seeded shuffle from the published questions of one topic; skills take turns; variants of one
template count as one question; nothing comes twice while something unseen is left, and never twice in one set; what is
missing is said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import NamedTuple, TypeVar
from uuid import UUID

from domain.question import Difficulty

T = TypeVar("T")

POLICY = "by-label-1"
"""Name of these rules, which every served set bears."""

Family = tuple["Candidate", ...]
"""Variants of one template, which count as one question."""


class Candidate(NamedTuple):
    """What selection knows of a published question."""

    id: UUID
    version: int
    skill: str
    difficulty: Difficulty
    family: str
    """The same for all variants of one template."""


class Chosen(NamedTuple):
    """A question that is served, and how likely it was to be drawn at its turn."""

    candidate: Candidate
    probability: Fraction


@dataclass(frozen=True, slots=True)
class Selection:
    """A served set in its order, and how many questions are missing from what was asked for."""

    chosen: tuple[Chosen, ...]
    short_by: int


@dataclass(frozen=True, slots=True)
class Pile:
    """The families of one skill, of one difficulty or of all."""

    skill: str
    families: Mapping[str, Family]
    names: tuple[str, ...]


class Shelf:
    """The published questions of one topic, made once for a snapshot and used by every start."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        piles: dict[Difficulty | None, dict[str, dict[str, Family]]] = {}
        for one in sorted(candidates, key=_in_order):
            for difficulty in (one.difficulty, None):
                families = piles.setdefault(difficulty, {}).setdefault(one.skill, {})
                families[one.family] = (*families.get(one.family, ()), one)
        self._piles = {
            difficulty: {skill: Pile(skill, families, tuple(families)) for skill, families in of.items()}
            for difficulty, of in piles.items()
        }
        self._skills: dict[str, set[str]] = {}
        for skill, pile in self._piles.get(None, {}).items():
            for name in pile.names:
                self._skills.setdefault(name, set()).add(skill)

    def piles(self, difficulty: Difficulty | None) -> list[Pile]:
        """Return a pile for each skill there are questions of, in one fixed order."""
        return list(self._piles.get(difficulty, {}).values())

    def had(self, piles: Iterable[Pile], served: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """Return by skill which families of its pile were served."""
        found: dict[str, dict[str, int]] = {pile.skill: {} for pile in piles}
        families = {pile.skill: pile.families for pile in piles}
        for name, nth in served.items():
            for skill in self._skills.get(name, ()):
                if name in families.get(skill, ()):
                    found[skill][name] = nth
        return found


def _in_order(candidate: Candidate) -> tuple[str, str, bytes]:
    return candidate.skill, candidate.family, candidate.id.bytes


def select(
    shelf: Shelf, *, seed: bytes, count: int, served: Mapping[str, int], difficulty: Difficulty | None = None
) -> Selection:
    """Draw a set of at most `count`; `served` tells of families how manieth each was when the child last had it."""
    dice = _Dice(seed)
    piles = list(dice.shuffled(shelf.piles(difficulty)))
    had = shelf.had(piles, served)
    taken: set[str] = set()
    chosen = list(_in_turns([_unseen(pile, had[pile.skill], taken, dice) for pile in piles], count))
    rest = count - len(chosen)
    chosen += _in_turns([_again(pile, had[pile.skill], taken, dice) for pile in piles], rest)
    return Selection(tuple(chosen), count - len(chosen))


def _in_turns(draws: Sequence[Iterator[Chosen]], count: int) -> Iterator[Chosen]:
    """Take one from each in turn until there are enough or nothing is left."""
    waiting = list(draws)
    while waiting and count:
        for draw in list(waiting):
            chosen = next(draw, None) if count else None
            if chosen is None:
                waiting.remove(draw)
            else:
                count -= 1
                yield chosen


def _unseen(pile: Pile, had: Mapping[str, int], taken: set[str], dice: "_Dice") -> Iterator[Chosen]:
    """Draw families that the child never had, all alike likely."""
    left = len(pile.names) - len(had)
    for name in dice.shuffled(pile.names):
        if name in had:
            continue
        if name not in taken:  # a family may have variants of several skills
            taken.add(name)
            yield _one_of(pile.families[name], left, dice)
        left -= 1


def _again(pile: Pile, had: Mapping[str, int], taken: set[str], dice: "_Dice") -> Iterator[Chosen]:
    """Draw families that the child had before, the longest ago first."""
    for name in sorted(had, key=lambda name: (had[name], name)):
        if name not in taken:
            taken.add(name)
            yield _one_of(pile.families[name], 1, dice)


def _one_of(family: Family, families: int, dice: "_Dice") -> Chosen:
    return Chosen(family[dice.below(len(family))], Fraction(1, families * len(family)))


def shuffled(things: Sequence[T], seed: bytes) -> list[T]:
    """Return all in an order drawn from a seed."""
    return list(_Dice(seed).shuffled(things))


class _Dice:
    """Numbers that follow from a seed alone: SHA-256 of the seed and a counter."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._thrown = 0

    def below(self, bound: int) -> int:
        """Return one of 0 to `bound` - 1; the bias is smaller than the bound in 2^64."""
        self._thrown += 1
        word = sha256(self._seed + self._thrown.to_bytes(8, "big")).digest()[:8]
        return int.from_bytes(word, "big") * bound >> 64

    def shuffled(self, things: Sequence[T]) -> Iterator[T]:
        """Yield all in a drawn order; whoever takes few pays for few (Fisher and Yates, with the swaps kept aside)."""
        moved: dict[int, int] = {}
        for at in range(len(things)):
            drawn = at + self.below(len(things) - at)
            yield things[moved.pop(drawn, drawn) if drawn != at else moved.pop(at, at)]
            if drawn != at:
                moved[drawn] = moved.pop(at, at)
