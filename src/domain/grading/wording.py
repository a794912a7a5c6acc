"""Wording: when two texts are the same words: spaces, quotes, case, accents, articles, final marks (T1, T3, T5).

Accents belong to Latin and Greek letters only: a mark on a kana or an Indic letter makes it another one.
"""

from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, normalize

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


class Rules(NamedTuple):
    """What of a text counts in a blank."""

    case_sensitive: bool = False
    ignores_final_mark: bool = True
    ignores_articles_of: str = ""
    """A language; empty where articles count."""
    folds_accents: bool = False


class Typed:
    """A tidy text that was typed, compared with keys."""

    def __init__(self, shown: str, rules: Rules) -> None:
        self.shown = shown
        self.rules = rules
        self._counted: dict[bool, str] = {}

    def beside(self, key: str) -> str:
        """Return what counts of the text beside a key: its final mark only if the key has one."""
        with_mark = key[-1:] in FINAL_MARKS
        if with_mark not in self._counted:
            self._counted[with_mark] = counted(self.shown, self.rules, with_mark=with_mark)
        return self._counted[with_mark]

    def is_like(self, key: str) -> bool:
        """Tell whether the text is a key, an author's word, as far as it counts."""
        return self.beside(tidy_key(key)) == counted_key(key, self.rules)


def counted(shown: str, rules: Rules, *, with_mark: bool) -> str:
    """Return what counts of a tidy text."""
    text = shown if rules.case_sensitive else fold_case(shown)
    if rules.ignores_final_mark and not with_mark:
        text = text.rstrip(FINAL_MARKS).rstrip() or text
    if rules.ignores_articles_of:
        text = without_article(text, rules.ignores_articles_of)
    return fold_accents(text) if rules.folds_accents else text


@lru_cache(maxsize=65_536)
def counted_key(key: str, rules: Rules) -> str | None:
    """Return what counts of a key; None of one that is empty, which nothing is like."""
    like = tidy_key(key)
    return counted(like, rules, with_mark=True) if like else None


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
