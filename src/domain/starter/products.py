"""Products: times tables, division and what is left over, areas, and the order of operations."""

from itertools import product

from domain.starter.fact import Fact, Template

_PEOPLE = ("children", "friends", "teams", "tables", "boxes", "bags")
_GOODS = ("apples", "cards", "stickers", "pencils", "cookies", "balls")


def _times(one: int, other: int) -> Fact:
    key = one * other
    return Fact(
        f"What is {one} * {other}?",
        str(key),
        f"{one} groups of {other} make {key}: {one} * {other} = {key}.",
        {
            str(key + other): f"That is one {other} too many.",
            str(key - other): f"That is one {other} too few.",
            str(one + other): "You added. Times means so many groups.",
        },
        f"{one} * {other} = {{}}",
    )


def _groups(people: str, goods: str, many: int, each: int) -> Fact:
    return Fact(
        f"{many} {people} with {each} {goods} each: how many {goods}?",
        str(many * each),
        f"{many} times {each} is {many * each}.",
        {
            str(many + each): f"Each has {each}, so multiply.",
            str(many * each + each): f"That is one group of {each} too many.",
            str(many * each - many): "",
        },
        f"{many} {people} with {each} {goods} each make {{}} {goods}.",
    )


def _long(one: int, other: int) -> Fact:
    key, tens, ones = one * other, one // 10 * 10, one % 10
    return Fact(
        f"What is {one} * {other}?",
        str(key),
        f"{tens} * {other} = {tens * other} and {ones} * {other} = {ones * other}; together {key}.",
        {
            str(tens * other + ones): f"Multiply the ones by {other} as well.",
            str(key - 10): "Do not forget what is carried.",
            str(key + other): f"That is one {other} too many.",
        },
        f"{one} * {other} = {{}}",
    )


def _divide(divisor: int, key: int) -> Fact:
    whole = divisor * key
    return Fact(
        f"What is {whole} \u00f7 {divisor}?",
        str(key),
        f"{key} * {divisor} = {whole}, so {whole} \u00f7 {divisor} = {key}.",
        {
            str(key + 1): f"{key + 1} * {divisor} is already {(key + 1) * divisor}.",
            str(key - 1): f"{key - 1} * {divisor} is only {(key - 1) * divisor}.",
            str(whole - divisor): "You subtracted. Dividing makes equal groups.",
        },
        f"{whole} \u00f7 {divisor} = {{}}",
    )


def _shared(people: str, goods: str, many: int, each: int) -> Fact:
    whole = many * each
    return Fact(
        f"{whole} {goods} are shared among {many} {people}. How many each?",
        str(each),
        f"Share equally: {whole} \u00f7 {many} = {each}.",
        {
            str(whole - many): "Sharing means dividing, not subtracting.",
            str(each + 1): f"That would need {(each + 1) * many} {goods}.",
            str(each - 1): "Something would be left over.",
        },
        f"{whole} {goods} are shared among {many} {people}: {{}} each.",
    )


def _left(divisor: int, times: int, rest: int) -> Fact:
    whole = divisor * times + rest
    return Fact(
        f"What is the remainder of {whole} \u00f7 {divisor}?",
        str(rest),
        f"{divisor} * {times} = {divisor * times}, and {rest} more make {whole}.",
        {
            str(times): "That is how many times it goes. What is left over?",
            str(divisor - rest): f"That is missing to the next {divisor}.",
            str(rest + divisor): "A remainder is smaller than the divisor.",
        },
        f"The remainder of {whole} \u00f7 {divisor} is {{}}.",
    )


def _area(wide: int, long: int) -> Fact:
    return Fact(
        f"A rectangle is {wide} cm by {long} cm. Its area in cm\u00b2?",
        str(wide * long),
        f"Area is length times width: {wide} * {long} = {wide * long}.",
        {
            str(2 * (wide + long)): "That is the perimeter, the way around.",
            str(wide + long): "Multiply the sides; do not add them.",
        },
        f"A rectangle of {wide} cm by {long} cm has {{}} cm\u00b2.",
    )


def _around(wide: int, long: int) -> Fact:
    key = 2 * (wide + long)
    return Fact(
        f"A rectangle is {wide} m by {long} m. Its perimeter in m?",
        str(key),
        f"Go around: {wide} + {long} + {wide} + {long} = {key}.",
        {
            str(wide + long): "That is only half of the way around.",
            str(wide * long): "That is the area, not the way around.",
        },
        f"Around a rectangle of {wide} m by {long} m it is {{}} m.",
    )


def _volume(wide: int, long: int, high: int) -> Fact:
    key = wide * long * high
    return Fact(
        f"A box: {wide} cm, {long} cm, {high} cm. Volume in cm\u00b3?",
        str(key),
        f"Multiply the three sides: {wide} * {long} * {high} = {key}.",
        {
            str(wide + long + high): "Multiply the sides; do not add them.",
            str(wide * long): "That is the area of the bottom. Multiply by the height.",
        },
        f"A box of {wide} cm, {long} cm, {high} cm holds {{}} cm\u00b3.",
    )


def _first_times(plus: int, one: int, other: int) -> Fact:
    key = plus + one * other
    return Fact(
        f"What is {plus} + {one} * {other}?",
        str(key),
        f"Multiply first: {one} * {other} = {one * other}. Then {plus} + {one * other} = {key}.",
        {
            str((plus + one) * other): "Multiplying comes before adding.",
            str(plus + one + other): "The second sign is times.",
        },
        f"{plus} + {one} * {other} = {{}}",
    )


def _brackets(one: int, other: int, times: int) -> Fact:
    key = (one + other) * times
    return Fact(
        f"What is ({one} + {other}) * {times}?",
        str(key),
        f"Brackets first: {one} + {other} = {one + other}. Then {one + other} * {times} = {key}.",
        {
            str(one + other * times): "What is in brackets comes first.",
            str(one + other + times): "The second sign is times.",
        },
        f"({one} + {other}) * {times} = {{}}",
    )


def _mixed(whole: int, divisor: int, key: int) -> Fact:
    inner = divisor * key
    return Fact(
        f"What is {whole + inner} - {inner} \u00f7 {divisor}?",
        str(whole + inner - key),
        f"Divide first: {inner} \u00f7 {divisor} = {key}. Then {whole + inner} - {key} = {whole + inner - key}.",
        {str(whole): "You subtracted before dividing.", str(whole + inner + key): "The first sign is minus."},
        f"{whole + inner} - {inner} \u00f7 {divisor} = {{}}",
    )


_M, _D, _O, _S = "Multiplication", "Division", "Order of operations", "Measurement"
_TABLE = list(product(range(2, 11), repeat=2))
_STORIES = [(p, g, *_TABLE[at % len(_TABLE)]) for at, (p, g, _) in enumerate(product(_PEOPLE, _GOODS, range(4)))]
TEMPLATES = [
    Template(
        name="times",
        grade=3,
        topic=_M,
        skill="times tables",
        cases=[c for c in _TABLE if c[0] <= c[1]],
        fact=_times,
        many=30,
    ),
    Template(name="groups", grade=3, topic=_M, skill="equal groups", cases=_STORIES, fact=_groups, many=15),
    Template(name="divide", grade=3, topic=_D, skill="division facts", cases=_TABLE, fact=_divide, many=30),
    Template(name="shared", grade=3, topic=_D, skill="sharing equally", cases=_STORIES, fact=_shared, many=15),
    Template(
        name="area", grade=3, topic=_S, skill="area", cases=[(a, b) for a, b in _TABLE if a < b], fact=_area, many=14
    ),
    Template(
        name="long",
        grade=4,
        topic=_M,
        skill="multiplying by one digit",
        cases=[(a, b) for a in range(12, 99) for b in range(3, 10) if a % 10],
        fact=_long,
        many=42,
    ),
    Template(
        name="left",
        grade=4,
        topic=_D,
        skill="remainders",
        cases=[(d, t, r) for d in range(3, 10) for t in range(3, 13) for r in range(1, d)],
        fact=_left,
        many=24,
    ),
    Template(
        name="divide",
        grade=4,
        topic=_D,
        skill="dividing larger numbers",
        cases=[(d, k) for d in range(3, 10) for k in range(12, 80)],
        fact=_divide,
        many=24,
    ),
    Template(
        name="around",
        grade=4,
        topic=_S,
        skill="perimeter",
        cases=[(a, b) for a in range(3, 15) for b in range(a + 1, 20)],
        fact=_around,
        many=14,
    ),
    Template(
        name="long",
        grade=5,
        topic=_M,
        skill="multiplying by two digits",
        cases=[(a, b) for a in range(12, 99) for b in range(12, 40) if a % 10 and b % 10],
        fact=_long,
        many=42,
    ),
    Template(
        name="volume",
        grade=5,
        topic=_S,
        skill="volume",
        cases=list(product(range(2, 7), range(3, 9), range(2, 10))),
        fact=_volume,
        many=16,
    ),
    Template(
        name="first-times",
        grade=5,
        topic=_O,
        skill="multiply before adding",
        cases=list(product(range(2, 12), range(2, 8), range(3, 9))),
        fact=_first_times,
        many=22,
    ),
    Template(
        name="brackets",
        grade=5,
        topic=_O,
        skill="brackets first",
        cases=list(product(range(2, 10), range(2, 10), range(3, 8))),
        fact=_brackets,
        many=22,
    ),
    Template(
        name="mixed",
        grade=6,
        topic=_O,
        skill="divide before subtracting",
        cases=list(product(range(2, 14), range(2, 9), range(3, 10))),
        fact=_mixed,
        many=22,
    ),
    Template(
        name="brackets",
        grade=6,
        topic=_O,
        skill="brackets first",
        cases=list(product(range(5, 25), range(6, 20), range(3, 9))),
        fact=_brackets,
        many=22,
    ),
]
