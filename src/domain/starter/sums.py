"""Sums: adding and subtracting, in numbers and in stories."""

from itertools import product

from domain.starter.fact import Case, Fact, Template

_NAMES = ("Mia", "Ben", "Ana", "Omar", "Lena", "Kofi", "Yuki", "Sam")
_GOODS = ("apples", "cards", "shells", "books", "marbles", "stickers", "pencils", "buttons")


def _add(one: int, other: int) -> Fact:
    total = one + other
    slips = {
        str(abs(one - other)): "That is the difference. Here the numbers are put together.",
        str(total + 1): "Close: you counted one too many.",
        str(total - 1): "Close: begin to count with the next number.",
    }
    if one % 10 + other % 10 > 9:
        slips = {str(total - 10): "The ones make a new ten: do not forget to carry it."} | slips if one > 9 else slips
        tens, rest = (total // 10 * 10 - one, total % 10)
        why = f"First {one} + {tens} = {one + tens}, then {rest} more make {total}." if 0 < tens < other else ""
    else:
        why = ""
    return Fact(
        f"What is {one} + {other}?",
        str(total),
        why or f"{one} and {other} more make {total}.",
        slips,
        f"{one} + {other} = {{}}",
    )


def _take(whole: int, part: int) -> Fact:
    rest = whole - part
    slips = {
        str(rest + 1): "Close: count back one more.",
        str(rest - 1) if rest else "2": "Close: you counted back too far." if rest else "",
        str(whole + part): "That is the sum. Here something is taken away.",
    }
    if whole % 10 < part % 10 and whole > 20:
        turned = abs(whole // 10 - part // 10) * 10 + part % 10 - whole % 10
        slips = {str(turned): "Do not turn the ones around: take a ten apart instead."} | slips
    return Fact(
        f"What is {whole} - {part}?",
        str(rest),
        f"{whole} take away {part} leaves {rest}, because {rest} + {part} = {whole}.",
        slips,
        f"{whole} - {part} = {{}}",
        family=f"{min(part, rest)}-{max(part, rest)}",
    )


def _missing(part: int, whole: int) -> Fact:
    rest = whole - part
    return Fact(
        f"{part} + ? = {whole}. Which number is missing?",
        str(rest),
        f"{whole} - {part} = {rest}, so {part} + {rest} = {whole}.",
        {str(whole + part): "The missing number is a part of the whole.", str(rest + 1): "", str(rest - 1): ""},
        f"The missing number in {part} + ? = {whole} is {{}}.",
    )


def _get(name: str, goods: str, had: int, more: int) -> Fact:
    return Fact(
        f"{name} has {had} {goods} and gets {more}. How many now?",
        str(had + more),
        f"Put them together: {had} + {more} = {had + more} {goods}.",
        {
            str(abs(had - more)): f"{name} gets some, so there are more, not fewer.",
            str(had + more + 1): "",
            str(had + more - 1): "",
        },
        f"{name} has {had} {goods} and gets {more}. Now there are {{}}.",
    )


def _give(name: str, goods: str, had: int, gone: int) -> Fact:
    return Fact(
        f"{name} had {had} {goods}. {gone} are lost. How many are left?",
        str(had - gone),
        f"Take away what is lost: {had} - {gone} = {had - gone} {goods}.",
        {
            str(had + gone): "Lost means fewer, so take away.",
            str(had - gone + 1): "",
            str(had - gone + 2): "",
        },
        f"{name} had {had} {goods}. {gone} are lost, so {{}} are left.",
    )


def _pairs(low: int, high: int, most: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(low, high) for b in range(low, high) if a + b <= most]


def _wholes(low: int, high: int, least: int = 1) -> list[tuple[int, int]]:
    return [(a, b) for a in range(low, high) for b in range(least, a)]


def _stories(pairs: list[tuple[int, int]]) -> list[Case]:
    people = list(product(_NAMES, _GOODS))
    return [(*people[at % len(people)], *pair) for at, pair in enumerate(pairs)]


_TENS = [(a, b) for a, b in product(range(12, 80), range(11, 80)) if a + b <= 99]
_LARGE = [(a, b) for a, b in product(range(113, 800, 7), range(105, 800, 11)) if a + b < 1000]
_LARGER = [(a, b) for a, b in product(range(1234, 8000, 97), range(1105, 8000, 89)) if a + b < 10_000]


def _falling(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(a + b, b) for a, b in pairs]


_ADDITION, _SUBTRACTION = "Addition", "Subtraction"
_SMALL = _pairs(1, 6, 8)
_BY_HEART = [pair for pair in _pairs(2, 10, 18) if sum(pair) > 6]
TEMPLATES = [
    Template(
        name="add", grade=0, topic=_ADDITION, skill="adding within 10", cases=_pairs(1, 9, 10), fact=_add, many=26
    ),
    Template(name="get", grade=0, topic=_ADDITION, skill="adding stories", cases=_stories(_SMALL), fact=_get, many=15),
    Template(
        name="take",
        grade=0,
        topic=_SUBTRACTION,
        skill="subtracting within 10",
        cases=_wholes(3, 11),
        fact=_take,
        many=26,
    ),
    Template(
        name="give",
        grade=0,
        topic=_SUBTRACTION,
        skill="subtracting stories",
        cases=_stories(_wholes(4, 9)),
        fact=_give,
        many=15,
    ),
    Template(name="add", grade=1, topic=_ADDITION, skill="adding within 20", cases=_BY_HEART, fact=_add, many=24),
    Template(
        name="missing",
        grade=1,
        topic=_ADDITION,
        skill="missing numbers",
        cases=[(a, a + b) for a, b in _pairs(2, 10, 18)],
        fact=_missing,
        many=12,
    ),
    Template(
        name="get", grade=1, topic=_ADDITION, skill="adding stories", cases=_stories(_BY_HEART), fact=_get, many=12
    ),
    Template(
        name="take",
        grade=1,
        topic=_SUBTRACTION,
        skill="subtracting within 20",
        cases=_wholes(11, 19, 3),
        fact=_take,
        many=28,
    ),
    Template(
        name="give",
        grade=1,
        topic=_SUBTRACTION,
        skill="subtracting stories",
        cases=_stories(_wholes(11, 19, 3)),
        fact=_give,
        many=14,
    ),
    Template(name="add", grade=2, topic=_ADDITION, skill="adding within 100", cases=_TENS, fact=_add, many=24),
    Template(
        name="missing",
        grade=2,
        topic=_ADDITION,
        skill="missing numbers",
        cases=[(a, a + b) for a, b in _TENS],
        fact=_missing,
        many=12,
    ),
    Template(name="get", grade=2, topic=_ADDITION, skill="adding stories", cases=_stories(_TENS), fact=_get, many=12),
    Template(
        name="take",
        grade=2,
        topic=_SUBTRACTION,
        skill="subtracting within 100",
        cases=_falling(_TENS),
        fact=_take,
        many=28,
    ),
    Template(
        name="give",
        grade=2,
        topic=_SUBTRACTION,
        skill="subtracting stories",
        cases=_stories(_falling(_TENS)),
        fact=_give,
        many=14,
    ),
    Template(name="add", grade=3, topic=_ADDITION, skill="adding within 1,000", cases=_LARGE, fact=_add, many=40),
    Template(
        name="take",
        grade=3,
        topic=_SUBTRACTION,
        skill="subtracting within 1,000",
        cases=_falling(_LARGE),
        fact=_take,
        many=40,
    ),
    Template(name="add", grade=4, topic=_ADDITION, skill="adding within 10,000", cases=_LARGER, fact=_add, many=40),
    Template(
        name="take",
        grade=4,
        topic=_SUBTRACTION,
        skill="subtracting within 10,000",
        cases=_falling(_LARGER),
        fact=_take,
        many=40,
    ),
]
