"""Locales: how each language writes numbers; one locale, one reading (N4).

Source of the marks: Unicode CLDR, `decimal` and `group`. Arabic and Persian digits and marks are read everywhere.
"""

from functools import lru_cache
from typing import NamedTuple


class Locale(NamedTuple):
    """The marks of a written number; a space between groups is understood everywhere."""

    language: str
    decimal: str
    group: str
    """Between groups of three digits; empty where only a space may stand there."""
    by_twos: bool = False
    """Groups of two digits follow the first group of three, as in 1,00,000."""


_POINT = "en zh ja ko he th ar fa es-419 es-MX es-US es-DO es-GT es-HN es-NI es-PA es-PE es-PR es-SV"
_COMMA = "de it es pt nl da tr el id ro hr sl sr ca eu gl"
_COMMA_AND_SPACE = "fr pt-PT en-ZA pl sv nb nn no fi cs sk hu bg uk ru et lv lt"
_BY_TWOS = "en-IN hi bn ta te mr gu pa ur"
_APOSTROPHE = "de-CH it-CH de-LI"


def _table() -> dict[str, Locale]:
    kinds = {
        _POINT: (".", ",", False),
        _COMMA: (",", ".", False),
        _COMMA_AND_SPACE: (",", "", False),
        _BY_TWOS: (".", ",", True),
        _APOSTROPHE: (".", "'", False),
    }
    return {tag.lower(): Locale(tag[:2], *kind) for tags, kind in kinds.items() for tag in tags.split()}


LOCALES = _table()
ENGLISH = LOCALES["en"]


@lru_cache(maxsize=1024)
def find_locale(tag: str) -> Locale:
    """Return the notation of a BCP 47 tag: that of the region, else of the language, else English."""
    wanted = tag[:35].lower().replace("_", "-")
    language, _, rest = wanted.partition("-")
    region = rest.rpartition("-")[2]
    return LOCALES.get(f"{language}-{region}") or LOCALES.get(language) or ENGLISH
