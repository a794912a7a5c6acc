"""Several: blanks that hold more than one value by declaration: lists and sets, ratios, times (Q21)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from math import gcd
from typing import NamedTuple

from domain.grading.locales import Locale
from domain.grading.marks import BLANK, DIVISION_BY_ZERO, LONGEST, TOO_LONG, Mark, Unread, credit, exact, part
from domain.grading.notation import plain_notation
from domain.grading.numbers import Number, read_number
from domain.grading.wording import tidy
from domain.question import Credit, ListBlank, Mistake, RatioBlank, TimeBlank

_UNREADABLE = Unread("unreadable", "Q21")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_APART = re.compile(r", | ?; ?")
_TERM = re.compile(r"[0-9]{1,15}")
_TO = re.compile(r" ?(?::|/| to ) ?")
_TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))? ?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_NOON = 12


class Ratio(NamedTuple):
    """Whole numbers that stand to each other as `terms`, as they were written."""

    terms: tuple[int, ...]

    @property
    def lowest(self) -> tuple[int, ...]:
        """The same ratio in its smallest whole numbers."""
        common = reduce(gcd, self.terms)
        return tuple(term // common for term in self.terms)


def mark_list(blank: ListBlank, typed: str, locale: Locale, mark_item: Callable[[int, str], Mark]) -> Mark:
    """Judge a list or a set; `mark_item` judges a text as the item of that index."""
    if len(typed) > LONGEST:
        return TOO_LONG.mark()
    shown = tidy(typed)
    if not shown:
        return BLANK.mark()
    texts = split(shown, locale)
    if len(texts) != len(blank.items):
        again = Mark("ask_again", "Q21", read_as="; ".join(texts), code="wrong_count")
        return again._replace(expected_count=len(blank.items))
    if blank.kind == "list":
        marks = [mark_item(at, one) for at, one in enumerate(texts)]
    else:
        table = [[mark_item(item, one) for item in range(len(texts))] for one in texts]
        marks = [row[item] for row, item in zip(table, _best_items(table), strict=True)]
    return together(marks, blank.credit, "Q21")


def together(marks: Sequence[Mark], policy: Credit, rule: str) -> Mark:
    """Make one mark of several: asked again if one is, else all or nothing, or in proportion (T2)."""
    read_as = "; ".join(mark.read_as for mark in marks)
    again = next((mark for mark in marks if mark.verdict == "ask_again"), None)
    if again is not None:
        return Mark("ask_again", again.rule, read_as=read_as, code=again.code, expected_count=again.expected_count)
    points = [exact(mark.points) for mark in marks]
    total = sum(points, Fraction(0)) / len(points) if points else Fraction(0)
    if policy == "all_or_nothing" and total < 1:
        total = Fraction(0)
    feedback = next((mark.feedback for mark in marks if mark.feedback), None)
    note = next((mark.note for mark in marks if mark.note), None)
    return credit(str(total), rule, read_as)._replace(feedback=feedback, note=note)


def split(shown: str, locale: Locale) -> list[str]:
    """Take a list apart: at semicolons, at commas before a space, and at commas where no number of the locale has one.

    In English `1,2,3` are three numbers and `100,200` is one: so a hundred thousand two hundred is written.
    """
    if _BRACKETS.get(shown[0]) == shown[-1] and len(shown) > 1:
        shown = shown[1:-1].strip()
    texts: list[str] = []
    for text in shown.split(";") if ";" in shown else _APART.split(shown):
        plain = plain_notation(text)
        is_one = "," not in text or not isinstance(plain, str) or isinstance(read_number(plain, locale), Number)
        texts += [text.strip()] if is_one or locale.decimal == "," else [one.strip() for one in text.split(",")]
    return texts


def _best_items(table: Sequence[Sequence[Mark]]) -> list[int]:
    """Give each text an item of its own, so that as many as can be are right, and of the others as many are read."""
    item_of: dict[int, int] = {}
    for verdict in ("correct", "incorrect", "ask_again"):
        texts = [text for text in range(len(table)) if text not in item_of]
        items = set(range(len(table))).difference(item_of.values())
        fit = {text: [item for item in items if table[text][item].verdict == verdict] for text in texts}
        item_of |= _paired(fit)
    return [item_of[text] for text in range(len(table))]


def _paired(fit: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Pair as many texts as can be with one of the items that fit each (Kuhn's augmenting paths)."""
    text_of: dict[int, int] = {}

    def place(text: int, tried: set[int]) -> bool:
        for item in fit[text]:
            if item not in tried:
                tried.add(item)
                if item not in text_of or place(text_of[item], tried):
                    text_of[item] = text
                    return True
        return False

    for text in fit:
        place(text, set())
    return {text: item for item, text in text_of.items()}


def mark_ratio(blank: RatioBlank, typed: str, mistakes: Sequence[Mistake] = ()) -> Mark:
    """Judge a ratio by its terms: `6:8` stands as `3:4` does."""
    ratio = read_ratio(typed)
    if isinstance(ratio, Unread):
        return ratio.mark()
    read_as = ":".join(map(str, ratio.terms))
    if not any(_is_same(ratio, key) for key in blank.accepted):
        return _mistaken((one for one in mistakes if _is_same(ratio, one.answer)), read_as)
    if blank.simplify != "optional" and ratio.terms != ratio.lowest:
        again = Mark("ask_again", "N7", read_as=read_as, code="not_simplified")
        return again if blank.simplify == "required" else Mark("incorrect", "N7", read_as=read_as)
    return Mark("correct", "Q21", "1", read_as)


def read_ratio(typed: str) -> Ratio | Unread:
    """Read `3:4`, `3 to 4`, `3/4`, `1:2:3`; terms are whole numbers, the last not 0, none negative."""
    plain = plain_notation(typed)
    if isinstance(plain, Unread):
        return plain
    written = _TO.split(plain.casefold())
    if len(written) == 1 or not all(map(_TERM.fullmatch, written)):
        return _UNREADABLE
    terms = tuple(map(int, written))
    return Ratio(terms) if terms[-1] else DIVISION_BY_ZERO


def mark_time(blank: TimeBlank, typed: str, mistakes: Sequence[Mistake] = ()) -> Mark:
    """Judge a time: `9:05`, `09:05 am` and `9:05:00` are the same."""
    seconds = read_time(typed)
    if isinstance(seconds, Unread):
        return seconds.mark()
    read_as = f"{seconds // 3600}:{seconds // 60 % 60:02}" + (f":{seconds % 60:02}" if seconds % 60 else "")
    if any(seconds == _key_time(key) for key in blank.accepted):
        return Mark("correct", "Q21", "1", read_as)
    return _mistaken((one for one in mistakes if _key_time(one.answer) == seconds), read_as)


def read_time(typed: str) -> int | Unread:
    """Read a time as seconds since midnight, or as a duration."""
    plain = plain_notation(typed)
    if isinstance(plain, Unread):
        return plain
    found = _TIME.fullmatch(plain)
    if found is None:
        return _UNREADABLE
    hours, half = int(found[1]), (found[4] or "").casefold()
    if half:
        if not 1 <= hours <= _NOON:
            return _UNREADABLE
        hours = hours % _NOON + (_NOON if half == "p" else 0)
    return hours * 3600 + int(found[2]) * 60 + int(found[3] or 0)


@lru_cache(maxsize=16_384)
def _key_ratio(key: str) -> Ratio | Unread:
    return read_ratio(key)


@lru_cache(maxsize=16_384)
def _key_time(key: str) -> int | Unread:
    return read_time(key)


def _is_same(ratio: Ratio, key: str) -> bool:
    wanted = _key_ratio(key)
    return isinstance(wanted, Ratio) and wanted.lowest == ratio.lowest


def _mistaken(found: Iterator[Mistake], read_as: str) -> Mark:
    mistake = next(found, None)
    if mistake is None:
        return Mark("incorrect", "Q21", read_as=read_as)
    return credit(part(mistake.credit), "N11", read_as)._replace(feedback=mistake.feedback)
