"""Number words: `five`, `twenty-one`, `one half`, read where a question allows it (N10).

English is read by its grammar; of other languages the whole numbers that children write out are listed.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import gcd

from domain.grading.numbers import Number
from domain.question import Form

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_TENS_IN_ORDER = "thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ENGLISH.split())}
_TENS = {word: value * 10 for value, word in enumerate(_TENS_IN_ORDER.split(), start=3)}
_SCALES = {"thousand": 1_000, "million": 1_000_000}
_PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_PARTS |= {f"{word}{s}": value for value, word in enumerate(_ORDINALS.split(), start=3) for s in ("", "s")}
_PARTS |= {"hundredth": 100, "hundredths": 100}
_LISTED = {
    "de": (
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig"
    ),
    "fr": (
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf vingt"
    ),
    "it": (
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
        "diciassette diciotto diciannove venti"
    ),
    "es": (
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
        "dieciocho diecinueve veinte"
    ),
}
_WORDS: Mapping[str, Mapping[str, int]] = {
    language: {word: value for value, word in enumerate(words.split())} for language, words in _LISTED.items()
}


def read_words(text: str, language: str) -> Number | None:
    """Read a number written out in words; None if these are no number."""
    folded = text.casefold()
    if language != "en":
        listed = _WORDS.get(language, {}).get(folded)
        return None if listed is None else _whole(listed)
    words = folded.replace("-", " ").split()
    negative = words[:1] in (["minus"], ["negative"])
    number = _number(words[1:] if negative else words)
    return number._replace(value=-number.value, text=f"-{number.text}") if number and negative else number


def _whole(value: int) -> Number:
    return Number(Fraction(value), "integer", str(value), whole=str(value))


def _number(words: list[str]) -> Number | None:
    """Read `three`, `three quarters`, or `two and three quarters`."""
    if not words:
        return None
    size = _PARTS.get(words[-1])
    if size is None:
        whole = _cardinal(words)
        return None if whole is None else _whole(whole)
    if "and" not in words[1:-1]:
        count = _count(words[:-1])
        form: Form = "proper" if (count or 0) < size else "improper"
        return Number(Fraction(count, size), form, f"{count}/{size}", simplest=gcd(count, size) == 1) if count else None
    last = len(words) - 1 - words[::-1].index("and")
    ones, count = _cardinal(words[:last]), _count(words[last + 1 : -1])
    if not ones or not count:
        return None
    simplest = count < size and gcd(count, size) == 1
    return Number(ones + Fraction(count, size), "mixed", f"{ones} {count}/{size}", simplest=simplest)


def _count(words: list[str]) -> int | None:
    return 1 if words == ["a"] else _cardinal(words)


def _cardinal(words: list[str]) -> int | None:
    """Read a whole number below a thousand million."""
    for scale, factor in reversed(_SCALES.items()):
        if scale in words:
            at = words.index(scale)
            above, below = (
                _below_thousand(words[:at]),
                _cardinal(_behind_and(words[at + 1 :])) if words[at + 1 :] else 0,
            )
            return None if not above or below is None or below >= factor else above * factor + below
    return _below_thousand(words)


def _below_thousand(words: list[str]) -> int | None:
    """Read `seven`, `forty two`, `three hundred (and) five`."""
    if words[1:2] == ["hundred"]:
        hundreds = _SMALL.get(words[0], 0)
        below = _below_hundred(_behind_and(words[2:])) if words[2:] else 0
        return None if not 1 <= hundreds <= 9 or below is None else hundreds * 100 + below  # noqa: PLR2004  one digit
    return _below_hundred(words)


def _behind_and(words: list[str]) -> list[str]:
    return words[1:] if words[0] == "and" else words


def _below_hundred(words: list[str]) -> int | None:
    match words:
        case [word]:
            return _SMALL.get(word, _TENS.get(word))
        case [tens, ones] if (tens in _TENS or tens == "twenty") and 1 <= _SMALL.get(ones, 0) <= 9:  # noqa: PLR2004  one digit
            return (_TENS.get(tens) or 20) + _SMALL[ones]
        case _:
            return None
