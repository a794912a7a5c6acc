"""Parts: fractions, from naming them to dividing by them."""

from fractions import Fraction
from itertools import product
from math import gcd

from domain.starter.fact import Fact, Line, Template, number

_WORDS = {2: "halves", 3: "thirds", 4: "quarters", 5: "fifths", 6: "sixths", 8: "eighths", 10: "tenths"}


def _simplest(key: str) -> Line:
    return number(key, simplify="required")


def _name(part: int, whole: int) -> Fact:
    shown = "\u25a0" * part + "\u25a1" * (whole - part)
    return Fact(
        f"Which fraction of the bar is black? {shown}",
        f"{part}/{whole}",
        f"The bar has {whole} equal parts, and {part} of them are black: {part}/{whole}.",
        {
            f"{part}/{whole - part}": "The bottom number counts all parts, the white ones too.",
            f"{whole - part}/{whole}": "That is the white part.",
            f"{whole}/{part}": "The number of all parts goes to the bottom.",
        },
        f"{{}} of the bar is black: {shown}",
    )


def _of(part: int, whole: int, each: int) -> Fact:
    total = whole * each
    return Fact(
        f"What is {part}/{whole} of {total}?",
        str(part * each),
        f"{total} in {whole} equal parts is {each} each, and {part} of them make {part * each}.",
        {
            str(each): f"That is 1/{whole}. Take it {part} times." if part > 1 else "",
            str(total - part * each): "That is what is left.",
            str(total - whole): "A fraction of a number is found by dividing.",
        },
        f"{part}/{whole} of {total} is {{}}.",
    )


def _same(top: int, bottom: int, times: int) -> Fact:
    return Fact(
        f"{top}/{bottom} = ?/{bottom * times}. Which number is missing?",
        str(top * times),
        f"{bottom} * {times} = {bottom * times}, so multiply the top by {times} too: {top} * {times} = {top * times}.",
        {
            str(top): "When the bottom grows, the top grows as well.",
            str(top + bottom * times - bottom): "Multiply top and bottom by the same number; do not add.",
            str(top * times + 1): "",
        },
        f"{top}/{bottom} = {{}}/{bottom * times}",
    )


def _simplify(top: int, bottom: int, times: int) -> Fact:
    key = f"{top}/{bottom}"
    return Fact(
        f"Write {top * times}/{bottom * times} in simplest form.",
        key,
        f"Divide top and bottom by {times}: {top * times}/{bottom * times} = {key}.",
        {
            f"{top}/{bottom * times}": "Divide the bottom as well.",
            f"{top * times}/{bottom}": "Divide the top as well.",
            f"{bottom}/{top}": "Top and bottom are swapped.",
        },
        f"{top * times}/{bottom * times} in simplest form is {{}}.",
        _simplest(key),
        family=key,
    )


def _greater(a: int, b: int, c: int, d: int) -> Fact:
    one, other = Fraction(a, b), Fraction(c, d)
    more, less = (f"{a}/{b}", f"{c}/{d}") if one > other else (f"{c}/{d}", f"{a}/{b}")
    common = b * d // gcd(b, d)
    if b == d:
        why = f"The parts are of one size, and {max(a, c)} parts are more than {min(a, c)}."
    elif a == c:
        why = f"The same number of parts, and parts of {_WORDS[min(b, d)]} are larger than {_WORDS[max(b, d)]}."
    else:
        why = f"With the denominator {common} they are {a * common // b}/{common} and {c * common // d}/{common}."
    return Fact(
        f"Which is greater: {a}/{b} or {c}/{d}?",
        more,
        why,
        {less: why},
        f"Of {a}/{b} and {c}/{d}, {{}} is greater.",
    )


def _add(a: int, b: int, bottom: int) -> Fact:
    key = str(Fraction(a + b, bottom))
    told = "" if key == f"{a + b}/{bottom}" else f" = {key}"
    return Fact(
        f"What is {a}/{bottom} + {b}/{bottom}?",
        key,
        f"The parts are of one size, so add the tops: {a} + {b} = {a + b}. That is {a + b}/{bottom}{told}.",
        {
            f"{a + b}/{2 * bottom}": "Add the tops only: the size of the parts stays the same.",
            f"{abs(a - b)}/{bottom}": "That is the difference." if a != b else "",
            f"{a + b + 1}/{bottom}": "",
        },
        f"{a}/{bottom} + {b}/{bottom} = {{}}",
    )


def _take(a: int, b: int, bottom: int) -> Fact:
    key = str(Fraction(a, bottom))
    return Fact(
        f"What is {a + b}/{bottom} - {b}/{bottom}?",
        key,
        f"The parts are of one size, so subtract the tops: {a + b} - {b} = {a}. That is {a}/{bottom}.",
        {
            f"{a + 2 * b}/{bottom}": "That is the sum.",
            f"{a + 1}/{bottom}": "Count the parts again.",
            f"{a}/{2 * bottom}": "The size of the parts stays the same.",
        },
        f"{a + b}/{bottom} - {b}/{bottom} = {{}}",
    )


def _mixed(whole: int, top: int, bottom: int) -> Fact:
    key = f"{whole * bottom + top}/{bottom}"
    return Fact(
        f"Write {whole} {top}/{bottom} as one fraction.",
        key,
        f"{whole} wholes are {whole * bottom}/{bottom}, and {top}/{bottom} more make {key}.",
        {
            f"{whole * top}/{bottom}": f"A whole has {bottom} parts: multiply {whole} by {bottom}.",
            f"{whole + top}/{bottom}": f"A whole has {bottom} parts, not one.",
            f"{whole * bottom + top}/{whole * bottom}": "The size of the parts stays the same.",
        },
        f"{whole} {top}/{bottom} = {{}}",
        {"kind": "number", "accepted": [key], "forms": ["improper"]},
    )


def _add_unlike(a: int, b: int, c: int, d: int) -> Fact:
    common = b * d // gcd(b, d)
    left, right = a * common // b, c * common // d
    key = str(Fraction(left + right, common))
    told = "" if key == f"{left + right}/{common}" else f" = {key}"
    return Fact(
        f"What is {a}/{b} + {c}/{d}?",
        key,
        f"Make the parts alike: {left}/{common} + {right}/{common} = {left + right}/{common}{told}.",
        {
            f"{a + c}/{b + d}": "Make the denominators alike first; never add them.",
            f"{a + c}/{common}": "When the bottom changes, the tops change as well.",
            f"{left + right + 1}/{common}": "",
        },
        f"{a}/{b} + {c}/{d} = {{}}",
    )


def _take_unlike(a: int, b: int, c: int, d: int) -> Fact:
    common = b * d // gcd(b, d)
    left, right = a * common // b, c * common // d
    key = str(Fraction(left - right, common))
    told = "" if key == f"{left - right}/{common}" else f" = {key}"
    return Fact(
        f"What is {a}/{b} - {c}/{d}?",
        key,
        f"Make the parts alike: {left}/{common} - {right}/{common} = {left - right}/{common}{told}.",
        {
            f"{abs(a - c)}/{abs(b - d)}": "Make the denominators alike first; never subtract them.",
            f"{left + right}/{common}": "That is the sum.",
            f"{left - right + 1}/{common}": "",
        },
        f"{a}/{b} - {c}/{d} = {{}}",
    )


def _times(a: int, b: int, c: int, d: int) -> Fact:
    key = str(Fraction(a * c, b * d))
    told = "" if key == f"{a * c}/{b * d}" else f" = {key}"
    return Fact(
        f"What is {a}/{b} * {c}/{d}?",
        key,
        f"Top times top, bottom times bottom: {a * c}/{b * d}{told}.",
        {
            f"{a + c}/{b + d}": "Multiply; do not add.",
            f"{a * d}/{b * c}": "You turned one of them over: that is for dividing.",
            f"{a * c}/{b + d}": "Multiply the bottoms too.",
        },
        f"{a}/{b} * {c}/{d} = {{}}",
        _simplest(key),
    )


def _over(a: int, b: int, c: int, d: int) -> Fact:
    key = str(Fraction(a * d, b * c))
    told = "" if key == f"{a * d}/{b * c}" else f" = {key}"
    return Fact(
        f"What is {a}/{b} \u00f7 {c}/{d}?",
        key,
        f"Turn the second one over and multiply: {a}/{b} * {d}/{c} = {a * d}/{b * c}{told}.",
        {
            f"{a * c}/{b * d}": "Turn the second fraction over before multiplying.",
            f"{b * c}/{a * d}": "Turn over the second fraction, not the first.",
            f"{a * d + 1}/{b * c}": "",
        },
        f"{a}/{b} \u00f7 {c}/{d} = {{}}",
        _simplest(key),
    )


_PROPER = [(a, b) for b in (2, 3, 4, 5, 6, 8, 10) for a in range(1, b)]
_LOWEST = [(a, b) for a, b in _PROPER if gcd(a, b) == 1]
_LIKE = [(a, b, n) for n in (3, 4, 5, 6, 7, 8, 9, 10, 12) for a in range(1, n) for b in range(1, n - a)]
_UNLIKE = [(*p, *q) for p, q in product(_LOWEST, repeat=2) if p[1] != q[1]]
_T = "Fractions"


def _compared(*, alike: bool) -> list[tuple[int, int, int, int]]:
    pairs = [(*p, *q) for p, q in product(_PROPER, repeat=2) if Fraction(*p) != Fraction(*q)]
    return [c for c in pairs if (c[1] == c[3] or c[0] == c[2]) == alike]


TEMPLATES = [
    Template(
        name="name-fraction",
        grade=3,
        topic=_T,
        skill="naming fractions",
        cases=[(a, b) for b in range(3, 13) for a in range(1, b) if 2 * a != b],
        fact=_name,
        many=20,
    ),
    Template(
        name="greater-fraction",
        grade=3,
        topic=_T,
        skill="comparing fractions",
        cases=_compared(alike=True),
        fact=_greater,
        many=20,
    ),
    Template(
        name="fraction-of",
        grade=3,
        topic=_T,
        skill="a fraction of a number",
        cases=[(1, n, e) for n in (2, 3, 4, 5, 6, 8) for e in range(2, 9)],
        fact=_of,
        many=14,
    ),
    Template(
        name="same-fraction",
        grade=4,
        topic=_T,
        skill="equivalent fractions",
        cases=[(a, b, t) for a, b in _LOWEST for t in range(2, 7)],
        fact=_same,
        many=20,
    ),
    Template(
        name="simplify",
        grade=4,
        topic=_T,
        skill="simplest form",
        cases=[(a, b, t) for a, b in _LOWEST for t in range(2, 7)],
        fact=_simplify,
        many=20,
    ),
    Template(
        name="greater-fraction",
        grade=4,
        topic=_T,
        skill="comparing fractions",
        cases=_compared(alike=False),
        fact=_greater,
        many=20,
    ),
    Template(
        name="add-fractions", grade=4, topic=_T, skill="adding like denominators", cases=_LIKE, fact=_add, many=24
    ),
    Template(
        name="take-fractions",
        grade=4,
        topic=_T,
        skill="subtracting like denominators",
        cases=_LIKE,
        fact=_take,
        many=20,
    ),
    Template(
        name="mixed-number",
        grade=4,
        topic=_T,
        skill="mixed numbers",
        cases=[(w, a, b) for w in range(1, 6) for a, b in _LOWEST],
        fact=_mixed,
        many=14,
    ),
    Template(
        name="add-unlike",
        grade=5,
        topic=_T,
        skill="adding unlike denominators",
        cases=_UNLIKE,
        fact=_add_unlike,
        many=24,
    ),
    Template(
        name="take-unlike",
        grade=5,
        topic=_T,
        skill="subtracting unlike denominators",
        cases=[c for c in _UNLIKE if Fraction(*c[:2]) > Fraction(*c[2:])],
        fact=_take_unlike,
        many=20,
    ),
    Template(
        name="times-fractions", grade=5, topic=_T, skill="multiplying fractions", cases=_UNLIKE, fact=_times, many=20
    ),
    Template(
        name="fraction-of",
        grade=5,
        topic=_T,
        skill="a fraction of a number",
        cases=[(a, b, e) for a, b in _LOWEST if a > 1 for e in range(3, 13)],
        fact=_of,
        many=16,
    ),
    Template(
        name="over-fraction",
        grade=6,
        topic=_T,
        skill="dividing fractions",
        cases=[c for c in _UNLIKE if c[0] * c[3] != c[1] * c[2]],
        fact=_over,
        many=24,
    ),
    Template(
        name="times-fractions",
        grade=6,
        topic=_T,
        skill="multiplying fractions",
        cases=[c for c in _UNLIKE if c[0] > 1 and c[2] > 1],
        fact=_times,
        many=20,
    ),
]
