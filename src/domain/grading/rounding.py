"""Rounding: whether a number is written to the digits asked for, and is the key rounded half up to them (Q7).

Half up means away from zero, as schools teach it: 2.5 is 3 and -2.5 is -3.
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from domain.grading.numbers import Number
from domain.question import Precision

Fit = Literal["right", "other_precision", "wrong"]


def best_fit(number: Number, keys: Iterable[Fraction], precision: Precision) -> Fit:
    """Tell whether a number is one of the keys to that precision, one of them to another, or something else."""
    counts = _places if precision.kind == "decimal_places" else _figures
    rounded = round_to_places if precision.kind == "decimal_places" else round_to_figures
    written, value = counts(number), number.value
    others = [digits for digits in written if digits and digits != precision.digits]
    best: Fit = "wrong"
    for key in keys:
        wanted = rounded(key, precision.digits)
        if value == wanted and precision.digits in written:
            return "right"
        if value in (key, wanted) or any(value == rounded(key, digits) for digits in others):
            best = "other_precision"
    return best


def is_written_to(number: Number, precision: Precision) -> bool:
    """Tell whether a number has just the digits asked for, whatever its value."""
    return precision.digits in (_places if precision.kind == "decimal_places" else _figures)(number)


@lru_cache(maxsize=16_384)
def round_to_places(value: Fraction, places: int) -> Fraction:
    """Round half up to so many digits behind the decimal mark; a negative count rounds to tens and hundreds."""
    scale = Fraction(10) ** places
    whole = int(abs(value) * scale + Fraction(1, 2)) / scale
    return whole if value >= 0 else -whole


@lru_cache(maxsize=16_384)
def round_to_figures(value: Fraction, figures: int) -> Fraction:
    """Round half up to so many significant figures; zero stays zero."""
    if not value:
        return value
    above, below = abs(value.numerator), value.denominator
    first = len(str(above)) - len(str(below))
    if Fraction(above, below) < Fraction(10) ** first:
        first -= 1
    return round_to_places(value, figures - 1 - first)


def _places(number: Number) -> range:
    """Return how many decimal places a number is written to; none for one that is not written in decimals."""
    if number.form not in {"integer", "decimal"}:
        return range(0)
    places = len(number.decimals or "")
    return range(places, places + 1)


def _figures(number: Number) -> range:
    """Return how many significant figures a number may have: zeros that end an integer count or do not."""
    if number.form not in {"integer", "decimal", "scientific"}:
        return range(0)
    digits = (number.whole + (number.decimals or "")).lstrip("0") or "0"
    fewest = digits if number.decimals is not None else digits.rstrip("0") or "0"
    return range(len(fewest), len(digits) + 1)
