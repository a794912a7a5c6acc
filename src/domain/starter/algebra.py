"""Algebra: negative numbers, expressions, equations, powers and scientific notation."""

from itertools import product

from domain.starter.fact import Fact, Template


def _signed(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


def _add(one: int, other: int) -> Fact:
    key = one + other
    return Fact(
        f"What is {one} + {_signed(other)}?",
        str(key),
        f"On the number line, begin at {one} and go {abs(other)} to the {'right' if other > 0 else 'left'}: {key}.",
        {
            str(-key): "The number is right, its sign is not.",
            str(one - other): "You went the wrong way on the number line.",
            str(abs(one) + abs(other)): "Mind the signs.",
        },
        f"{one} + {_signed(other)} = {{}}",
    )


def _take(one: int, other: int) -> Fact:
    key = one - other
    way = f"Subtracting {other} is adding {-other}" if other < 0 else f"Go {other} to the left of {one}"
    return Fact(
        f"What is {one} - {_signed(other)}?",
        str(key),
        f"{way}: {key}.",
        {
            str(one + other): "Subtracting a negative number is adding." if other < 0 else "You went to the right.",
            str(-key): "The number is right, its sign is not.",
            str(abs(one) + abs(other) + 1): "",
        },
        f"{one} - {_signed(other)} = {{}}",
    )


def _times(one: int, other: int) -> Fact:
    key = one * other
    alike = "alike, so the product is positive" if key > 0 else "different, so the product is negative"
    return Fact(
        f"What is {one} * {_signed(other)}?",
        str(key),
        f"The signs are {alike}: {key}.",
        {
            str(-key): "Like signs make plus, unlike signs make minus.",
            str(one + other): "You added.",
            str(key + one): "",
        },
        f"{one} * {_signed(other)} = {{}}",
    )


def _colder(one: int, other: int) -> Fact:
    less, more = min(one, other), max(one, other)
    return Fact(
        f"Which is smaller: {one} or {other}?",
        str(less),
        f"{less} is farther to the left on the number line than {more}.",
        {str(more): f"{more} is farther to the right, so it is greater."},
        f"Of {one} and {other}, {{}} is smaller.",
    )


def _value(times: int, plus: int, x: int) -> Fact:
    key = times * x + plus
    return Fact(
        f"x = {x}. What is {times}x + {plus}?",
        str(key),
        f"{times} times {x} is {times * x}, and {times * x} + {plus} = {key}.",
        {
            str(times * (x + plus)): f"Only x is multiplied by {times}.",
            str(times * 10 + x + plus): f"{times}x means {times} times x.",
            str(times + x + plus): f"{times}x means {times} times x.",
        },
        f"If x = {x}, {times}x + {plus} = {{}}.",
    )


def _one_step(plus: int, x: int) -> Fact:
    return Fact(
        f"x + {plus} = {x + plus}. What is x?",
        str(x),
        f"Subtract {plus} on both sides: x = {x + plus} - {plus} = {x}.",
        {
            str(x + 2 * plus): f"Subtract {plus}; do not add it.",
            str(-x): "The number is right, its sign is not.",
            str(x + plus): "That is the right side as it stands.",
        },
        f"The solution of x + {plus} = {x + plus} is x = {{}}.",
    )


def _two_steps(times: int, plus: int, x: int) -> Fact:
    right = times * x + plus
    return Fact(
        f"{times}x + {plus} = {right}. What is x?",
        str(x),
        f"Subtract {plus}: {times}x = {times * x}. Divide by {times}: x = {x}.",
        {
            str(times * x): f"Divide by {times} as well.",
            str(-x): "The number is right, its sign is not.",
            str(right - plus - times): f"{times}x means {times} times x, so divide.",
        },
        f"The solution of {times}x + {plus} = {right} is x = {{}}.",
    )


def _both_sides(times: int, less: int, plus: int, x: int) -> Fact:
    right = (times - less) * x + plus
    return Fact(
        f"{times}x + {plus} = {less}x + {right}. What is x?",
        str(x),
        f"Bring x to one side: {times - less}x = {right - plus}, so x = {x}.",
        {
            str(right - plus): f"Divide by {times - less} as well." if times - less > 1 else "",
            str(-x): "The number is right, its sign is not.",
            str(right + plus): f"Subtract {plus} on both sides.",
        },
        f"The solution of {times}x + {plus} = {less}x + {right} is x = {{}}.",
    )


def _power(base: int, exponent: int) -> Fact:
    key = base**exponent
    spelled = " * ".join([_signed(base)] * exponent)
    return Fact(
        f"What is {_signed(base)}^{exponent}?",
        str(key),
        f"{spelled} = {key}.",
        {
            str(base * exponent): "A power is not base times exponent.",
            str(base ** (exponent - 1)): "That is one factor too few.",
            str(-key if base < 0 else base ** (exponent + 1)): "Count the factors and their signs.",
        },
        f"{_signed(base)}^{exponent} = {{}}",
    )


def _law(base: int, one: int, other: int) -> Fact:
    return Fact(
        f"{base}^{one} * {base}^{other} = {base} to the power of?",
        str(one + other),
        f"{one} factors and {other} factors are {one + other} factors of {base}.",
        {
            str(one * other): "Multiplying powers of one base adds the exponents.",
            str(abs(one - other)): "That is for dividing.",
            str(one + other + 1): "",
        },
        f"{base}^{one} * {base}^{other} is {base} to the power of {{}}.",
    )


def _root(root: int, shift: int) -> Fact:
    square = (root + shift) ** 2
    key = root + shift
    return Fact(
        f"What is the square root of {square}?",
        str(key),
        f"{key} * {key} = {square}.",
        {
            str(key + 1): f"{key + 1} * {key + 1} = {(key + 1) ** 2}.",
            str(key - 1): f"{key - 1} * {key - 1} = {(key - 1) ** 2}.",
            str(square // 2): "A square root is not a half.",
        },
        f"The square root of {square} is {{}}.",
    )


def _mantissa(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10}"


def _scientific(tenths: int, power: int) -> Fact:
    key = f"{_mantissa(tenths)} * 10^{power}"
    plain = str(tenths * 10 ** (power - 1)) if power > 0 else f"0.{'0' * (-power - 1)}{tenths}"
    shown = f"{int(plain):,}" if power > 0 else plain
    way = "left" if power > 0 else "right"
    return Fact(
        f"Write {shown} in scientific notation.",
        key,
        f"Move the point {abs(power)} places to the {way}: {key}.",
        {
            f"{_mantissa(tenths)} * 10^{-power}": "Large numbers have positive exponents, small ones negative.",
            f"{_mantissa(tenths)} * 10^{power + 1}": "Count the places again.",
            f"{_mantissa(tenths)} * 10^{power - 1}": "Count the places again.",
        },
        f"{shown} = {{}}",
        {"kind": "number", "accepted": [key.replace(" * ", "\u00d7")], "forms": ["scientific"]},
    )


def _plain(tenths: int, power: int) -> Fact:
    key = str(tenths * 10 ** (power - 1))
    return Fact(
        f"Write {_mantissa(tenths)} * 10^{power} as a whole number.",
        key,
        f"Move the point {power} places to the right: {int(key):,}.",
        {
            key + "0": "That is one zero too many.",
            key[:-1]: "That is one place too few.",
            key + "00": "Count the zeros again.",
        },
        f"{_mantissa(tenths)} * 10^{power} = {{}}",
    )


_N, _E, _L, _P, _S = "Negative numbers", "Expressions", "Linear equations", "Powers", "Scientific notation"
_NEGATIVE = [(a, b) for a in range(-12, 13) for b in range(-12, 13) if a and b and (a < 0 or b < 0) and a + b and a - b]
_TENTHS = [t for t in range(11, 99) if t % 10]
TEMPLATES = [
    Template(
        name="colder",
        grade=6,
        topic=_N,
        skill="comparing",
        cases=[(a, b) for a, b in _NEGATIVE if a != b],
        fact=_colder,
        many=20,
    ),
    Template(name="add-negative", grade=6, topic=_N, skill="adding", cases=_NEGATIVE, fact=_add, many=24),
    Template(name="add-negative", grade=7, topic=_N, skill="adding", cases=_NEGATIVE, fact=_add, many=14),
    Template(name="take-negative", grade=7, topic=_N, skill="subtracting", cases=_NEGATIVE, fact=_take, many=18),
    Template(
        name="times-negative",
        grade=7,
        topic=_N,
        skill="multiplying",
        cases=[c for c in _NEGATIVE if abs(c[0]) > 1 and abs(c[1]) > 1],
        fact=_times,
        many=18,
    ),
    Template(
        name="value",
        grade=6,
        topic=_E,
        skill="values of expressions",
        cases=list(product(range(2, 10), range(1, 13), range(2, 10))),
        fact=_value,
        many=42,
    ),
    Template(
        name="value",
        grade=7,
        topic=_E,
        skill="values of expressions",
        cases=list(product(range(3, 13), range(5, 30), range(-9, -1))),
        fact=_value,
        many=42,
    ),
    Template(
        name="one-step",
        grade=7,
        topic=_L,
        skill="one step",
        cases=[(p, x) for p in range(3, 30) for x in range(-12, 25) if x],
        fact=_one_step,
        many=22,
    ),
    Template(
        name="two-steps",
        grade=7,
        topic=_L,
        skill="two steps",
        cases=list(product(range(2, 8), range(1, 13), range(2, 10))),
        fact=_two_steps,
        many=22,
    ),
    Template(
        name="two-steps",
        grade=8,
        topic=_L,
        skill="two steps",
        cases=[c for c in product(range(3, 13), range(4, 30), range(-12, 13)) if c[2]],
        fact=_two_steps,
        many=22,
    ),
    Template(
        name="both-sides",
        grade=8,
        topic=_L,
        skill="x on both sides",
        cases=[(t, s, p, x) for t in range(4, 12) for s in range(2, t) for p in range(1, 9) for x in range(2, 9)],
        fact=_both_sides,
        many=22,
    ),
    Template(
        name="power",
        grade=8,
        topic=_P,
        skill="powers",
        cases=[(b, e) for b in (-5, -4, -3, -2, 2, 3, 4, 5, 6) for e in (2, 3, 4) if abs(b) != 2 or e > 2]
        + [(b, 5) for b in (-2, 2, 3)]
        + [(b, 2) for b in (7, 8, 9, 11, 12)],
        fact=_power,
        many=20,
    ),
    Template(
        name="law",
        grade=8,
        topic=_P,
        skill="laws of exponents",
        cases=list(product((2, 3, 5, 7, 10), range(2, 8), range(3, 9))),
        fact=_law,
        many=16,
    ),
    Template(
        name="root",
        grade=8,
        topic=_P,
        skill="square roots",
        cases=[(r, s) for r in (4, 10) for s in range(6)],
        fact=_root,
        many=12,
    ),
    Template(
        name="scientific",
        grade=8,
        topic=_S,
        skill="writing numbers",
        cases=[(t, p) for t in _TENTHS for p in (-5, -4, -3, -2, 3, 4, 5, 6, 7)],
        fact=_scientific,
        many=24,
    ),
    Template(
        name="plain",
        grade=8,
        topic=_S,
        skill="reading numbers",
        cases=[(t, p) for t in _TENTHS for p in range(3, 9)],
        fact=_plain,
        many=22,
    ),
]
