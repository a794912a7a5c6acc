"""Rounding: whether a number is written to the digits asked for, and is the key rounded half up to them (Q7).

Half up means away from zero, as schools teach it: 2.5 is 3 and -2.5 is -3.
"""

from fractions import Fraction
from typing import Literal

from domain.grading.numbers import Number
from domain.question import Precision

Fit = Literal["right", "other_precision", "wrong"]


def fits(number: Number, key: Fraction, precision: Precision) -> Fit:
    """Tell whether a number is the key to that precision, the key to another one, or something else."""
    counts = _places if precision.kind == "decimal_places" else _figures
    rounded = round_to_places if precision.kind == "decimal_places" else round_to_figures
    written = counts(number)
    if precision.digits in written and number.value == rounded(key, precision.digits):
        return "right"
    if number.value in {key, rounded(key, precision.digits)}:
        return "other_precision"
    return "other_precision" if any(number.value == rounded(key, digits) for digits in written if digits) else "wrong"


def is_written_to(number: Number, precision: Precision) -> bool:
    """Tell whether a number has just the digits asked for, whatever its value."""
    return precision.digits in (_places if precision.kind == "decimal_places" else _figures)(number)


def round_to_places(value: Fraction, places: int) -> Fraction:
    """Round half up to so many digits behind the decimal mark; a negative count rounds to tens and hundreds."""
    scale = Fraction(10) ** places
    whole = int(abs(value) * scale + Fraction(1, 2)) / scale
    return whole if value >= 0 else -whole


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
