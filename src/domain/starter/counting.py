"""Counting: how many, what comes next, which is more, and what a digit is worth."""

from itertools import product

from domain.starter.fact import Fact, Template

_THINGS = {
    "stars": "\u2605",
    "hearts": "\u2665",
    "suns": "\u2600",
    "dots": "\u25cf",
    "squares": "\u25a0",
    "notes": "\u266a",
}


def _count(things: str, many: int) -> Fact:
    shown = " ".join([_THINGS[things]] * many)
    return Fact(
        f"How many {things}? {shown}",
        str(many),
        f"Count one by one: the last number you say is {many}.",
        {str(many - 1): "Look again: one was left out.", str(many + 1): "Look again: one was counted twice."},
        f"There are {{}} {things}: {shown}",
    )


def _after(before: int) -> Fact:
    return Fact(
        f"Which number comes after {before}?",
        str(before + 1),
        f"Count on by one: {before}, {before + 1}.",
        {str(before - 1): f"That is the number before {before}.", str(before + 2): "You jumped over one number."},
        f"After {before} comes {{}}.",
    )


def _before(after: int) -> Fact:
    return Fact(
        f"Which number comes before {after}?",
        str(after - 1),
        f"Count back by one: {after}, {after - 1}.",
        {str(after + 1): f"That is the number after {after}.", str(after - 2): "You jumped over one number."},
        f"Before {after} comes {{}}.",
    )


def _between(low: int) -> Fact:
    return Fact(
        f"Which number is between {low} and {low + 2}?",
        str(low + 1),
        f"Count: {low}, {low + 1}, {low + 2}.",
        {str(low + 3): f"That is more than {low + 2}.", str(low - 1): f"That is less than {low}."},
        f"{{}} is between {low} and {low + 2}.",
    )


def _greater(one: int, other: int) -> Fact:
    more, less = max(one, other), min(one, other)
    return Fact(
        f"Which number is greater: {one} or {other}?",
        str(more),
        f"{more} is greater than {less}: in counting it comes later.",
        {str(less): f"{less} is the smaller one."},
        f"Of {one} and {other}, {{}} is the greater number.",
    )


def _smaller(one: int, other: int) -> Fact:
    more, less = max(one, other), min(one, other)
    return Fact(
        f"Which number is smaller: {one} or {other}?",
        str(less),
        f"{less} is smaller than {more}: in counting it comes first.",
        {str(more): f"{more} is the greater one."},
        f"Of {one} and {other}, {{}} is the smaller number.",
    )


def _more(things: str, one: int, other: int) -> Fact:
    sign = _THINGS[things]
    above, below = " ".join([sign] * one), " ".join([sign] * other)
    apart = abs(one - other)
    return Fact(
        f"How many more {things} has the longer row? {above} | {below}",
        str(apart),
        f"{max(one, other)} are {apart} more than {min(one, other)}.",
        {str(max(one, other)): "That is the whole row. Count only what is left over.", str(apart + 1): ""},
        f"The longer row has {{}} more {things}: {above} | {below}",
    )


def _tens(tens: int, ones: int) -> Fact:
    return Fact(
        f"{tens} tens and {ones} ones: which number?",
        f"{tens}{ones}",
        f"{tens} tens are {tens}0, and {ones} more make {tens}{ones}.",
        {f"{ones}{tens}": "Tens come first, then ones.", str(tens + ones): "A ten is worth 10, not 1."},
        f"{tens} tens and {ones} ones make {{}}.",
    )


def _worth(value: int, place: str) -> Fact:
    factor = {"ones": 1, "tens": 10, "hundreds": 100, "thousands": 1000}[place]
    digit = value // factor % 10
    return Fact(
        f"What is the {place} digit of {value} worth?",
        str(digit * factor),
        f"The {place} digit of {value} is {digit}, so it is worth {digit * factor}.",
        {
            str(digit): "That is the digit. Its place says what it is worth.",
            str(digit * factor * 10): "That is one place too far to the left.",
            str(digit * factor // 10 if factor > 10 else digit * 100): "",
        },
        f"In {value} the {place} digit is worth {{}}.",
    )


def _hundreds(hundreds: int, tens: int, ones: int) -> Fact:
    key = f"{hundreds}{tens}{ones}"
    return Fact(
        f"{hundreds} hundreds, {tens} tens and {ones} ones: which number?",
        key,
        f"{hundreds}00 + {tens}0 + {ones} = {key}.",
        {
            f"{hundreds}{ones}{tens}": "Tens come before ones.",
            str(hundreds + tens + ones): "A hundred is worth 100 and a ten 10.",
            f"{hundreds}00{tens}{ones}": "Write one digit in each place.",
        },
        f"{hundreds} hundreds, {tens} tens and {ones} ones make {{}}.",
    )


def _rounded(value: int, to: int) -> Fact:
    down = value // to * to
    key = down if value % to * 2 < to else down + to
    return Fact(
        f"Round {value} to the nearest {to}.",
        str(key),
        f"{value} is between {down} and {down + to}, and {key} is nearer.",
        {str(down + to if key == down else down): "That one is farther away.", str(key + to): ""},
        f"{value} rounded to the nearest {to} is {{}}.",
    )


def _differ(low: int, high: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(low, high) for b in range(low, high) if a != b]


TEMPLATES = [
    Template(
        name="count",
        grade=0,
        topic="Counting",
        skill="counting objects",
        many=24,
        cases=list(product(_THINGS, range(3, 14))),
        fact=_count,
    ),
    Template(
        name="after", grade=0, topic="Counting", skill="number order", cases=[(n,) for n in range(2, 20)], fact=_after
    ),
    Template(
        name="before",
        grade=0,
        topic="Counting",
        skill="number order",
        many=14,
        cases=[(n,) for n in range(3, 20)],
        fact=_before,
    ),
    Template(
        name="greater", grade=0, topic="Comparing", skill="greater and smaller", cases=_differ(1, 11), fact=_greater
    ),
    Template(
        name="smaller", grade=0, topic="Comparing", skill="greater and smaller", cases=_differ(1, 11), fact=_smaller
    ),
    Template(
        name="more",
        grade=0,
        topic="Comparing",
        skill="how many more",
        cases=[(thing, a, b) for thing in _THINGS for a, b in _differ(1, 9) if abs(a - b) > 1],
        fact=_more,
    ),
    Template(
        name="between",
        grade=1,
        topic="Place value",
        skill="number order",
        cases=[(n,) for n in range(10, 98)],
        fact=_between,
        many=12,
    ),
    Template(
        name="tens",
        grade=1,
        topic="Place value",
        skill="tens and ones",
        cases=_differ(2, 10),
        fact=_tens,
    ),
    Template(
        name="greater",
        grade=1,
        topic="Place value",
        skill="comparing numbers",
        cases=_differ(11, 99),
        fact=_greater,
        many=14,
    ),
    Template(
        name="hundreds",
        grade=2,
        topic="Place value",
        skill="hundreds, tens and ones",
        cases=[c for c in product(range(2, 10), repeat=3) if len({*c}) == 3],
        fact=_hundreds,
    ),
    Template(
        name="worth",
        grade=2,
        topic="Place value",
        skill="what a digit is worth",
        cases=[
            (v, p) for v in range(111, 999) for p in ("tens", "hundreds") if len({*str(v)}) == 3 and "0" not in str(v)
        ],
        fact=_worth,
    ),
    Template(
        name="smaller",
        grade=2,
        topic="Place value",
        skill="comparing numbers",
        cases=_differ(101, 199),
        fact=_smaller,
        many=12,
    ),
    Template(
        name="rounded",
        grade=3,
        topic="Place value",
        skill="rounding",
        cases=[(v, t) for v in range(101, 999) for t in (10, 100) if v % t],
        fact=_rounded,
        many=24,
    ),
    Template(
        name="worth",
        grade=3,
        topic="Place value",
        skill="what a digit is worth",
        cases=[
            (v, p)
            for v in range(1234, 9999, 7)
            for p in ("tens", "hundreds", "thousands")
            if len({*str(v)}) == 4 and "0" not in str(v)
        ],
        fact=_worth,
        many=20,
    ),
]
