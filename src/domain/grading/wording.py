"""Wording: when two texts are the same words: spaces, quotes, case, accents, articles, final marks (T1, T3, T5).

Accents belong to Latin and Greek letters only: a mark on a kana or an Indic letter makes it another one.
"""

from functools import lru_cache
from unicodedata import category, normalize

from domain.question import TextBlank

_SAME = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
}
_STRAIGHT = {ord(variant): plain for plain, variants in _SAME.items() for variant in variants}
_ASCII_STRAIGHT = {ord("`"): "'"}
_ACCENTS = range(0x300, 0x370)
_ACCENTED = (range(0x41, 0x250), range(0x1E00, 0x2000), range(0x370, 0x400))
"""Latin and Greek."""
_BARE = "l o d ae oe d th i h"
_UNMARKED = dict(zip("\u0142\u00f8\u0111\u00e6\u0153\u00f0\u00fe\u0131\u0127", _BARE.split(), strict=True))
_UNMARKED_LETTERS = {ord(letter): plain for letter, plain in _UNMARKED.items()}
_UNMARKED_LETTERS |= {ord(letter.upper()): plain.upper() for letter, plain in _UNMARKED.items() if letter != "\u0131"}
_UNMARKED_LETTERS |= {ord("\u00df"): "ss", ord("\u1e9e"): "SS"}
"""Letters that carry no separate accent and are yet typed without it."""
FINAL_MARKS = ".!?\u2026,;:\u3002\uff01\uff1f\u061f\u0964"
_ARTICLES = {
    "en": "a an the",
    "de": "der die das den dem des ein eine einen einem einer eines",
    "fr": "le la les l' un une des",
    "it": "il lo la l' i gli le un uno una un'",
    "es": "el la los las un una unos unas",
    "pt": "o a os as um uma uns umas",
    "nl": "de het een",
}


def tidy(raw: str) -> str:
    """Return the text as it is shown: composed, trimmed, with single spaces, without characters that show nothing."""
    if raw.isascii() and raw.isprintable():
        return " ".join(raw.split()).translate(_ASCII_STRAIGHT)
    shown = "".join(_shown(character) for character in raw)
    return " ".join(normalize("NFC", shown).translate(_STRAIGHT).split())


def fold_case(text: str) -> str:
    """Return the text with upper and lower case the same."""
    return text.casefold() if text.isascii() else normalize("NFC", text.casefold())


def fold_accents(text: str) -> str:
    """Return the text with the accents of Latin and Greek letters gone."""
    if text.isascii():
        return text
    kept: list[str] = []
    base = ""
    for character in normalize("NFD", text):
        if ord(character) not in _ACCENTS:
            base = character
        elif base and any(ord(base) in letters for letters in _ACCENTED):
            continue
        kept.append(character)
    return normalize("NFC", "".join(kept)).translate(_UNMARKED_LETTERS)


class Wording:
    """The wording that a blank compares, and what of it does not count."""

    def __init__(self, blank: TextBlank, language: str) -> None:
        self._case_sensitive = blank.case_sensitive
        self._language = language if blank.ignore_articles else ""
        self._final = blank.final_punctuation == "ignored"

    def of(self, shown: str, like: str) -> str:
        """Return what counts of a tidy text that is compared with a tidy key."""
        text = shown if self._case_sensitive else fold_case(shown)
        if self._final and like[-1:] not in FINAL_MARKS:
            text = text.rstrip(FINAL_MARKS).rstrip() or text
        return without_article(text, self._language) if self._language else text


def without_article(text: str, language: str) -> str:
    """Drop a leading article, unless nothing is left."""
    for article in _ARTICLES.get(language, "").split():
        apart = article if article.endswith("'") else f"{article} "
        if fold_case(text).startswith(apart) and len(text) > len(apart):
            return text[len(apart) :].lstrip()
    return text


@lru_cache(maxsize=65_536)
def tidy_key(key: str) -> str:
    """Return a key as it is shown."""
    return tidy(key)


def _shown(character: str) -> str:
    match category(character):
        case "Cf":
            return ""
        case "Cc":
            return " "
        case "Cs":
            return "\ufffd"
        case _:
            return character
