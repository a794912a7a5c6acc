"""Notation: a typed number brought to plain characters before its grammar is looked at (N1, N2).

The order matters: NFKC alone would make `1½` eleven halves and `5²` fifty-two.
"""

from unicodedata import category, decomposition, normalize

from domain.grading.marks import BLANK, LONGEST, TOO_LONG, UNREADABLE, Unread

_SAME = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2796\ufe58\uff0d",
    "/": "\u2044\u2215\u29f8",
    "'": "\u2018\u2019\u02bc\u2032",
    "x": "\u00d7\u2715\u22c5\u00b7\u2219*",
    ":": "\u2236",
    "%": "\u066a",
}
_PLAIN = {ord(variant): plain for plain, variants in _SAME.items() for variant in variants}
_PLAIN |= {code: chr(48 + int(chr(code))) for code in range(0x80, 0x20000) if category(chr(code)) == "Nd"}
"""Every other character that means one of these, decimal digits of all scripts among them."""


def plain_notation(raw: str) -> str | Unread:
    """Bring a typed number to plain characters with single spaces; at most 256 code points are looked at."""
    if len(raw) > LONGEST:
        return TOO_LONG
    text: str | None = raw if raw.isascii() else _plain_characters(raw)
    if text is None:
        return UNREADABLE
    return " ".join(text.split()) or BLANK


def _plain_characters(raw: str) -> str | None:
    """Replace what only looks different; None for a raised or lowered digit, which is no part of a plain number."""
    kept = [character for character in raw if category(character) != "Cf"]
    text: list[str] = []
    for at, character in enumerate(kept):
        kind, _, parts = decomposition(character).partition(" ")
        before = kept[at - 1] if at else ""
        if kind == "<fraction>":
            text += (" " if before.isdecimal() else "", _spelled_out(parts, kept[at + 1 : at + 2]))
        elif kind in {"<super>", "<sub>"}:
            if not before.isalpha():
                return None
            text += ("^", character)
        else:
            text.append(character)
    whole = normalize("NFKC", "".join(text))
    return whole.translate(_PLAIN) if len(whole) <= 2 * LONGEST else None


def _spelled_out(parts: str, following: list[str]) -> str:
    """Write a vulgar fraction with a slash; a digit behind it stays apart, unless the fraction waits for one."""
    spelled = "".join(chr(int(code, 16)) for code in parts.split())
    waits = spelled.endswith("\u2044")
    return f"{spelled} " if not waits and following and following[0].isdecimal() else spelled
