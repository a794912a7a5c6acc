"""Likeness: which question of a bank repeats one before it, in a time that grows with the bank and not with its square.

Stems are compared by the three words in a row that they share, numbers aside (Broder, "On the resemblance and
containment of documents", 1997): alike are those that share most. Only what falls into one bucket of a
locality-sensitive hash is compared.
"""

from array import array
from collections import defaultdict
from zlib import crc32

from domain.families import family_of, template
from domain.grading.wording import fold_case, tidy
from domain.question import Question

_SHORTEST = 8
"""Words of the shortest stem that can be like another without being the same."""
_ALIKE = 0.8
"""Part of all their triples that two stems share which are alike."""
_BANDS, _ROWS = 6, 2
"""Two stems that are just alike fall into one bucket of at least one band in 998 of 1,000 cases: 1 - (1 - 0.8^2)^6."""
_FACTORS = [(crc32(str(n).encode()) << 33 | crc32(str(-n).encode()) << 1 | 1) for n in range(1, _BANDS * _ROWS + 1)]
_WORD = (1 << 64) - 1
_COMPARED = 4
"""Members of a bucket that a stem is compared with: the first ones."""


class Likeness:
    """The questions seen so far."""

    def __init__(self) -> None:
        self._whole: dict[bytes, int] = {}
        self._stems: dict[bytes, int] = {}
        self._buckets: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        self._triples: dict[int, array[int]] = {}
        self._families: dict[int, str] = {}
        """Of the questions whose author says which family they are of."""

    def add(self, number: int, question: Question) -> tuple[str, int] | None:
        """Take a question in under a number; return how it repeats which one before it, None where it is new.

        `duplicate`: the same with the same options; `repeated_stem`: the same with other options; `near_duplicate`,
        unless their author says that they are of one family.
        """
        stem = fold_case(tidy(question.stem))
        options = sorted(fold_case(tidy(option.text)) for option in question.options)
        whole = "\n".join((stem, *options)).encode()
        same, repeated = self._whole.setdefault(whole, number), self._stems.setdefault(stem.encode(), number)
        if same != number:
            return "duplicate", same
        if repeated != number:
            return "repeated_stem", repeated
        if question.family is not None and question.family != family_of(question.stem):
            self._families[number] = question.family
        alike = self._alike(number, stem)
        return None if alike is None else ("near_duplicate", alike)

    def _alike(self, number: int, stem: str) -> int | None:
        words = template(stem)
        if len(words) < _SHORTEST:
            return None
        triples = {crc32(" ".join(words[at : at + 3]).encode()) for at in range(len(words) - 2)}
        least = [min([factor * triple & _WORD for triple in triples]) for factor in _FACTORS]
        found = None
        for band in range(_BANDS):
            bucket = self._buckets[(band, *least[band * _ROWS : (band + 1) * _ROWS])]
            for other in bucket if found is None else ():
                if number in self._families and self._families[number] == self._families.get(other):
                    continue
                shared = len(triples.intersection(self._triples[other]))
                if shared >= _ALIKE * (len(triples) + len(set(self._triples[other])) - shared):
                    found = other
                    break
            if len(bucket) < _COMPARED:
                bucket.append(number)
        self._triples[number] = array("I", triples)
        return found
