"""Numbers: the grammar of a typed number, read into an exact fraction; nothing else is a number (N3, N4).

`[sign] (int | decimal | (int|decimal) exp | num/den | int SP num/den) [%]`, and `num:den` where ratios are asked for.
Python's own readers of numbers never see what was typed: they take `1_000`, `infinity`, and nine bytes that cost
seconds.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from domain.grading.locales import ENGLISH, Locale
from domain.grading.marks import BAD_GROUPING, DIVISION_BY_ZERO, UNREADABLE, Unread
from domain.grading.notation import plain_notation
from domain.question import Form

MOST_DIGITS = 30
TIMES = "\u00d7"
_TO_DIGITS = {ord(mark): None for mark in " ,.'"}


class Number(NamedTuple):
    """A number as it was written."""

    value: Fraction
    """Of `50%` it is 50: what a percent sign means depends on the question."""
    form: Form
    """Never `percent`: a sign stands behind one of the others."""
    text: str
    """Canonical text in the learner's notation, without groups."""
    percent: bool = False
    simplest: bool = True
    """False for `2/4`, `4/1`, `1 3/2`, `2 0/3`."""
    whole: str = ""
    """Digits before the decimal mark, without leading zeros."""
    decimals: str | None = None
    """Digits behind the decimal mark; None without a mark."""


@lru_cache(maxsize=64)
def _grammar(locale: Locale) -> re.Pattern[str]:
    mark = re.escape(locale.decimal)

    def grouped(by: str) -> str:
        first = f"(?!0+{by})[0-9]"
        if locale.by_twos:
            return f"{first}{{1,2}}(?:{by}[0-9]{{2}})*{by}[0-9]{{3}}"
        return f"{first}{{1,3}}(?:{by}[0-9]{{3}})+"

    exact = f"{grouped(re.escape(locale.group))}|[0-9]+" if locale.group else "[0-9]+"
    integer = f"{grouped(' ')}|{exact}"
    return re.compile(
        rf"""
        (?P<sign> [+-] )? \ ?
        (?: (?P<whole> {integer.replace(" ", "[ ]")} )\ (?P<part> [0-9]+ )\ ?/\ ?(?P<of> [0-9]+ )
          | (?P<top> {exact} )\ ?(?P<bar> [/:] )\ ?(?P<bottom> {exact} )
          | (?= {mark}?[0-9] ) (?P<int> {integer.replace(" ", "[ ]")} )? (?: {mark}(?P<decimals> [0-9]* ) )?
            (?: [eE](?P<e> [+-]?[0-9]{{1,2}} ) | \ ?[xX*]\ ?10\ ?\^\ ?(?P<power> [+-]?[0-9]{{1,2}} ) )?
        )
        (?P<percent> \ ?% )?
        """,
        re.VERBOSE,
    )


_DIGITS_AND_MARKS = re.compile(r"[+-]? ?[0-9][0-9 ,.']* ?%?")


def read_number(text: str, locale: Locale, *, ratio: bool = False) -> Number | Unread:
    """Read plain notation as one number, or say why it is none."""
    if not text.isascii():
        text = text.replace("\u066b", locale.decimal).replace("\u066c", locale.group or " ")
    found = _grammar(locale).fullmatch(text)
    if found is None:
        return BAD_GROUPING if _DIGITS_AND_MARKS.fullmatch(text) else UNREADABLE
    sign, whole, part, of, top, bar, bottom, integer, decimals, e, power, percent = found.groups()
    if len(text) > MOST_DIGITS and sum(map(str.isdecimal, text)) > MOST_DIGITS:
        return UNREADABLE
    number: Number | Unread
    if bar:
        number = _fraction(top, bottom, bar) if bar == "/" or ratio else UNREADABLE
    elif of:
        number = _mixed(whole, part, of)
    else:
        number = _decimal(integer or "", decimals, e or power, locale.decimal)
    return _completed(number, negative=sign == "-", percent=percent is not None)


@lru_cache(maxsize=65_536)
def read_key(text: str, *, ratio: bool = False) -> Number | Unread:
    """Read a key, which is always written in English notation."""
    plain = plain_notation(text)
    return plain if isinstance(plain, Unread) else read_number(plain, ENGLISH, ratio=ratio)


def _completed(number: Number | Unread, *, negative: bool, percent: bool) -> Number | Unread:
    if isinstance(number, Unread) or not (negative or percent):
        return number
    text = f"{'-' if negative else ''}{number.text}{'%' if percent else ''}"
    return number._replace(value=-number.value if negative else number.value, text=text, percent=percent)


def _digits(written: str) -> str:
    """Drop marks between groups and zeros in front."""
    plain = written if written.isdecimal() else written.translate(_TO_DIGITS)
    return plain.lstrip("0") or "0"


def _mixed(whole: str, part: str, of: str) -> Number | Unread:
    if len(part) > 2 and part[0] == "0":  # noqa: PLR2004  `1 000/3` is no mixed number but a group of three digits
        return BAD_GROUPING
    top, bottom = int(part), int(of)
    if not bottom:
        return DIVISION_BY_ZERO
    ones = int(_digits(whole))
    simplest = 0 < top < bottom and gcd(top, bottom) == 1
    return Number(Fraction(ones * bottom + top, bottom), "mixed", f"{ones} {top}/{bottom}", simplest=simplest)


def _fraction(above: str, below: str, bar: str) -> Number | Unread:
    top, bottom = int(_digits(above)), int(_digits(below))
    if not bottom:
        return DIVISION_BY_ZERO
    form: Form = "ratio" if bar == ":" else "proper" if top < bottom else "improper"
    simplest = gcd(top, bottom) == 1 and (bottom > 1 or form == "ratio")
    return Number(Fraction(top, bottom), form, f"{top}{bar}{bottom}", simplest=simplest)


def _decimal(integer: str, decimals: str | None, power: str | None, mark: str) -> Number:
    whole = _digits(integer)
    text = f"{whole}{mark}{decimals}" if decimals else whole
    value = Fraction(int(whole + decimals), 10 ** len(decimals)) if decimals else Fraction(int(whole))
    if power is None:
        return Number(value, "decimal" if decimals is not None else "integer", text, whole=whole, decimals=decimals)
    exponent = int(power)
    scaled = value * 10**exponent if exponent >= 0 else value / 10**-exponent
    return Number(scaled, "scientific", f"{text}{TIMES}10^{exponent}", whole=whole, decimals=decimals)
