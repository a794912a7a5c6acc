"""Units: the number and the unit of an answer taken apart, by the table of the question (N9)."""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from domain.grading.locales import Locale
from domain.grading.marks import UNREADABLE, Unread, exact
from domain.grading.notation import plain_notation
from domain.grading.numbers import Number, read_number
from domain.question import Unit, Units

HOURS_AND_MINUTES = "h:mm"
_OTHERS = (
    "mm cm dm m km in ft yd mi inch inches foot feet yard yards mile miles metre metres meter meters kilometre "
    "kilometres kilometer kilometers centimetre centimetres centimeter centimeters millimetre millimetres "
    "millimeter millimeters mg g kg t oz lb lbs gram grams kilogram kilograms ounce ounces pound pounds tonne "
    "tonnes ton tons ml cl dl l litre litres liter liters millilitre millilitres milliliter milliliters pint "
    "pints quart quarts gallon gallons cup cups s sec min h hr second seconds minute minutes hour hours day days "
    "week weeks month months year years mm2 cm2 m2 km2 ft2 in2 mm3 cm3 m3 km3 km/h m/s mph \u00b0 degree degrees "
    "\u00b0C \u00b0F $ \u00a2 \u20ac \u00a3 \u00a5 \u20b9 ct c p cent cents dollar dollars euro euros penny pence "
    "%"
)
"""Units known well enough to be a wrong unit where the question's table does not have them."""
_PREFIXED = frozenset("$\u20ac\u00a3\u00a5\u20b9")
_RAISED = re.compile(r"(?<=[A-Za-z])\^")
_WITH_COLON = re.compile(r"([0-9]{1,4}):([0-5][0-9])")


class Measured(NamedTuple):
    """A number with its unit; the unit is None where none was written, and bears only a name if it is a stranger."""

    number: Number
    unit: Unit | None
    is_known: bool = True
    """Whether the unit is one of the question's table."""


class _Names(NamedTuple):
    """Units and whether the question's table has them, by their names in plain notation."""

    exactly: dict[str, tuple[Unit, bool]]
    in_any_case: dict[str, tuple[Unit, bool]]
    longest: int


@lru_cache(maxsize=4096)
def _names(units: Units) -> _Names:
    found = {_plain_name(name): (Unit(name=name), False) for name in _OTHERS.split()}
    found |= {_plain_name(name): (unit, True) for unit in units.table for name in (unit.name, *unit.also)}
    found.pop("", None)
    return _Names(found, {name.casefold(): found[name] for name in found}, max(map(len, found)))


@lru_cache(maxsize=16_384)
def _plain_name(name: str) -> str:
    plain = plain_notation(name)
    return "" if isinstance(plain, Unread) else plain.replace("^", "")


def read_measured(text: str, locale: Locale, units: Units) -> Measured | Unread:
    """Read plain notation as a number with or without a unit."""
    clock = _WITH_COLON.match(text)
    if clock and any(unit.name == HOURS_AND_MINUTES for unit in units.table):
        text = text[clock.end() :].strip()
        unit = next(unit for unit in units.table if unit.name == HOURS_AND_MINUTES)
        value = int(clock[1]) + Fraction(int(clock[2]), 60)
        number = Number(value, "integer", f"{int(clock[1])}:{clock[2]}")
        return Measured(number, unit) if text in {"", "h"} else UNREADABLE
    number_alone = read_number(text, locale)
    if isinstance(number_alone, Number) and not number_alone.percent:
        return Measured(number_alone, None)
    text = _RAISED.sub("", text)
    for rest, unit, is_known in _without_unit(text, units):
        number_with = read_number(rest, locale)
        if isinstance(number_with, Number) and not number_with.percent:
            return Measured(number_with, unit, is_known)
        if not isinstance(number_with, Number) and number_with.code in {"bad_grouping", "division_by_zero"}:
            return number_with
    return number_alone if isinstance(number_alone, Unread) else UNREADABLE


def find_unit(text: str, units: Units) -> tuple[Unit, bool] | None:
    """Return the unit that plain notation names, and whether the table has it."""
    names, name = _names(units), text.replace("^", "")
    return names.exactly.get(name) or names.in_any_case.get(name.casefold())


def base_amount(value: Fraction, unit: Unit) -> Fraction:
    """Return an amount in the question's base unit."""
    return value * exact(unit.factor) + exact(unit.offset)


def without_printed_unit(text: str, printed: str) -> str:
    """Drop the unit that the stem prints beside the blank anyway."""
    name = _plain_name(printed)
    folded, unit = text.casefold(), name.casefold()
    if unit and folded.endswith(unit) and len(folded) == len(text):
        return text[: -len(name)].strip()
    if unit and folded.startswith(unit) and name in _PREFIXED:
        return text[len(name) :].strip()
    return text


def _without_unit(text: str, units: Units) -> Iterator[tuple[str, Unit, bool]]:
    """Yield what is left when a unit is taken off, the longest first: as it is written, then in any case."""
    names, folded = _names(units), text.casefold()
    sign, size = ("", text) if text[0] not in "+-" else (text[0], text[1:].lstrip())
    if size[:1] in _PREFIXED and size[0] in names.exactly:
        yield f"{sign}{size[1:].lstrip()}", *names.exactly[size[0]]
    for known, written in ((names.exactly, text), (names.in_any_case, folded)):
        for length in range(min(names.longest, len(written)), 0, -1):
            found = known.get(written[-length:])
            if found is not None and len(written) == len(text):
                yield text[:-length].rstrip(), *found
