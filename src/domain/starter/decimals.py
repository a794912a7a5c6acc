"""Decimals: tenths and hundredths, percent and ratios."""

from fractions import Fraction
from math import gcd

from domain.starter.fact import Fact, Line, Template, number


def _shown(value: Fraction) -> str:
    """Return a number that has a finite decimal, without zeros at its end."""
    places = next(places for places in range(10) if 10**places % value.denominator == 0)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def _part(hundredths: int, of: int = 100) -> str:
    return _shown(Fraction(hundredths, of))


def _percent(key: str) -> Line:
    return number(key.removesuffix("%"), asks_percent=True)


def _add(one: int, other: int) -> Fact:
    a, b, key = _part(one), _part(other), _part(one + other)
    return Fact(
        f"What is {a} + {b}?",
        key,
        f"Write the points below each other and add: {a} + {b} = {key}.",
        {
            _part((one + other) * 10): "The point is in the wrong place.",
            _part(one + other * 10): "Write tenths below tenths.",
            _part(one + other + 10): "",
        },
        f"{a} + {b} = {{}}",
    )


def _take(one: int, other: int) -> Fact:
    a, b, key = _part(one + other), _part(other), _part(one)
    return Fact(
        f"What is {a} - {b}?",
        key,
        f"{key} + {b} = {a}, so {a} - {b} = {key}.",
        {
            _part(one + 10): "A tenth was borrowed: count it.",
            _part(one + 2 * other): "That is the sum.",
            _part(one * 10): "The point is in the wrong place.",
        },
        f"{a} - {b} = {{}}",
    )


def _greater(one: int, of: int, other: int) -> Fact:
    a, b = _part(one, of), _part(other)
    more, less = (a, b) if Fraction(one, of) > Fraction(other, 100) else (b, a)
    return Fact(
        f"Which is greater: {a} or {b}?",
        more,
        f"Compare place by place, tenths first: {more} is greater than {less}.",
        {less: "More digits do not make a number greater: compare the tenths first."},
        f"Of {a} and {b}, {{}} is greater.",
    )


def _as_decimal(top: int, bottom: int) -> Fact:
    key = _part(top, bottom)
    whole = 10 if 10 % bottom == 0 else 100
    same = "" if whole == bottom else f"{top}/{bottom} = {top * whole // bottom}/{whole}, and that is "
    return Fact(
        f"Write {top}/{bottom} as a decimal.",
        key,
        f"{same}{key}." if same else f"{top}/{bottom} is written {key}.",
        {
            f"{top}.{bottom}": "The point does not stand for the fraction bar.",
            f"0.{bottom}": "Divide the top by the bottom.",
            _part(top, bottom * 10): "The point is in the wrong place.",
        },
        f"{top}/{bottom} = {{}}",
        {"kind": "number", "accepted": [key], "forms": ["decimal"]},
    )


def _times_ten(hundredths: int, by: int) -> Fact:
    a, key = _part(hundredths), _part(hundredths * by)
    return Fact(
        f"What is {a} * {by}?",
        key,
        f"Each digit is worth {by} times as much: {a} * {by} = {key}.",
        {
            _part(hundredths * by * 10): "That is moved too far.",
            _part(hundredths * by, 1000): "That is not far enough.",
            a + "0": "A zero at the end of a decimal changes nothing.",
        },
        f"{a} * {by} = {{}}",
    )


def _times(tenths: int, by: int) -> Fact:
    a, b = _part(tenths, 10), _part(by, 10)
    key = _part(tenths * by)
    return Fact(
        f"What is {a} * {b}?",
        key,
        f"{tenths} * {by} = {tenths * by}. There are two digits after the points, so it is {key}.",
        {
            _part(tenths * by, 10): "Count the digits after both points.",
            _part(tenths * by, 1000): "That is one place too many.",
            _part(tenths + by, 10): "You added.",
        },
        f"{a} * {b} = {{}}",
    )


def _percent_of(percent: int, whole: int) -> Fact:
    key = _part(percent * whole)
    return Fact(
        f"What is {percent}% of {whole}?",
        key,
        f"1% of {whole} is {_part(whole)}, and {percent} times that is {key}.",
        {
            _part(percent * whole, 10): "Percent means of a hundred: the point is in the wrong place.",
            str(abs(whole - percent)): "Percent is no subtraction.",
            _part((100 - percent) * whole): "That is the rest.",
        },
        f"{percent}% of {whole} is {{}}.",
    )


def _as_percent(top: int, bottom: int) -> Fact:
    key = f"{_part(top * 100, bottom)}%"
    return Fact(
        f"Write {top}/{bottom} as a percentage.",
        key,
        f"{top}/{bottom} = {_part(top, bottom)}, and that is {key}.",
        {
            f"{top * 10 + bottom}%": "Make the bottom 100 first.",
            f"{_part(top * 10, bottom)}%": "Percent means of a hundred, not of ten.",
            f"{bottom}%": "Divide the top by the bottom.",
        },
        f"{top}/{bottom} = {{}}",
        _percent(key),
    )


def _change(whole: int, percent: int, way: str) -> Fact:
    part = Fraction(percent * whole, 100)
    key = whole + part if way == "rises" else whole - part
    return Fact(
        f"A price of ${whole} {way} by {percent}%. New price in $?",
        _shown(key),
        f"{percent}% of {whole} is {_shown(part)}, so the new price is {_shown(key)}.",
        {
            _shown(part): "That is the change. What is the new price?",
            _shown(whole - part if way == "rises" else whole + part): "It goes the other way.",
            str(whole + percent if way == "rises" else whole - percent): "The percentage is taken of the price.",
        },
        f"A price of ${whole} that {way} by {percent}% becomes ${{}}.",
        number(_shown(key), stem_unit="$"),
    )


def _ratio(one: int, other: int, times: int) -> Fact:
    key = f"{one}:{other}"
    return Fact(
        f"Write the ratio {one * times}:{other * times} in simplest form.",
        key,
        f"Divide both sides by {times}: {key}.",
        {
            f"{other}:{one}": "The order matters: first stays first.",
            f"{one}:{other * times}": "Divide both sides.",
            f"{one * times}:{other}": "Divide both sides.",
        },
        f"The ratio {one * times}:{other * times} in simplest form is {{}}.",
        {"kind": "ratio", "accepted": [key], "simplify": "required"},
        family=key,
    )


def _proportion(one: int, other: int, times: int) -> Fact:
    return Fact(
        f"{one}:{other} = {one * times}:? Which number is missing?",
        str(other * times),
        f"{one} * {times} = {one * times}, so {other} * {times} = {other * times}.",
        {
            str(other + one * times - one): "Multiply both sides by the same number; do not add.",
            str(other): "Both sides grow.",
            str(other * times + other): "",
        },
        f"{one}:{other} = {one * times}:{{}}",
    )


def _rate(each: int, few: int, many: int) -> Fact:
    return Fact(
        f"{few} pens cost ${few * each}. What do {many} cost in $?",
        str(many * each),
        f"One pen costs ${each}, so {many} cost {many} * {each} = ${many * each}.",
        {
            str(few * each + many - few): "Find the price of one pen first.",
            str(each): "That is the price of one pen.",
            str(many * few): "",
        },
        f"If {few} pens cost ${few * each}, {many} cost ${{}}.",
        number(str(many * each), stem_unit="$"),
    )


_TOPS = [(a, b) for b in (2, 4, 5, 10, 20, 25) for a in range(1, b) if gcd(a, b) == 1]
_HUNDREDTHS = [(a, b) for a in range(105, 900, 7) for b in range(15, 600, 11) if a % 10 and b % 10]
_D, _P, _R = "Decimals", "Percent", "Ratios"
_SIDES = [(a, b, t) for a in range(1, 10) for b in range(2, 10) if gcd(a, b) == 1 and a != b for t in range(2, 8)]
_CHANGES = [(w, p, d) for w in range(20, 400, 20) for p in (5, 10, 15, 20, 25, 50) for d in ("rises", "falls")]
TEMPLATES = [
    Template(
        name="as-decimal",
        grade=4,
        topic=_D,
        skill="fractions as decimals",
        cases=[(a, b) for a, b in _TOPS if b in (2, 4, 5, 10)] + [(n, 100) for n in range(3, 99, 4)],
        fact=_as_decimal,
        many=20,
    ),
    Template(
        name="greater-decimal",
        grade=4,
        topic=_D,
        skill="comparing decimals",
        cases=[(a, 10, b) for a in range(1, 10) for b in range(11, 99) if a * 10 != b and b % 10],
        fact=_greater,
        many=22,
    ),
    Template(name="add-decimals", grade=5, topic=_D, skill="adding decimals", cases=_HUNDREDTHS, fact=_add, many=18),
    Template(
        name="take-decimals", grade=5, topic=_D, skill="subtracting decimals", cases=_HUNDREDTHS, fact=_take, many=16
    ),
    Template(
        name="times-ten",
        grade=5,
        topic=_D,
        skill="times 10, 100, 1000",
        cases=[(h, b) for h in range(12, 990, 13) for b in (10, 100, 1000)],
        fact=_times_ten,
        many=16,
    ),
    Template(
        name="times-decimals",
        grade=6,
        topic=_D,
        skill="multiplying decimals",
        cases=[(a, b) for a in range(11, 70) for b in range(3, 40) if a % 10 and b % 10],
        fact=_times,
        many=42,
    ),
    Template(
        name="as-percent", grade=5, topic=_P, skill="fractions as percent", cases=_TOPS, fact=_as_percent, many=22
    ),
    Template(
        name="percent-of",
        grade=5,
        topic=_P,
        skill="percent of a number",
        cases=[(p, w) for p in (10, 20, 25, 50, 75) for w in range(20, 240, 20)],
        fact=_percent_of,
        many=22,
    ),
    Template(
        name="percent-of",
        grade=6,
        topic=_P,
        skill="percent of a number",
        cases=[(p, w) for p in range(5, 100, 5) for w in range(20, 400, 20) if p != 50],
        fact=_percent_of,
        many=28,
    ),
    Template(name="price-change", grade=6, topic=_P, skill="percent change", cases=_CHANGES, fact=_change, many=16),
    Template(
        name="price-change",
        grade=7,
        topic=_P,
        skill="percent change",
        cases=[(w, p, d) for w in range(40, 800, 20) for p in (8, 12, 15, 30, 35, 45) for d in ("rises", "falls")],
        fact=_change,
        many=22,
    ),
    Template(
        name="percent-of",
        grade=7,
        topic=_P,
        skill="percent of a number",
        cases=[(p, w) for p in range(3, 99) for w in range(50, 900, 50) if p % 5],
        fact=_percent_of,
        many=20,
    ),
    Template(name="ratio", grade=6, topic=_R, skill="simplest form", cases=_SIDES, fact=_ratio, many=20),
    Template(name="proportion", grade=6, topic=_R, skill="equal ratios", cases=_SIDES, fact=_proportion, many=24),
    Template(
        name="proportion",
        grade=7,
        topic=_R,
        skill="proportions",
        cases=[(a, b, t) for a in range(3, 15) for b in range(4, 16) if gcd(a, b) == 1 for t in range(3, 13)],
        fact=_proportion,
        many=22,
    ),
    Template(
        name="rate",
        grade=7,
        topic=_R,
        skill="unit rates",
        cases=[(e, f, m) for e in range(2, 9) for f in range(2, 8) for m in range(f + 1, 13)],
        fact=_rate,
        many=22,
    ),
]
