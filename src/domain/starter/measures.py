"""Measures: clocks, money, lengths and weights."""

from itertools import product

from domain.starter.fact import Fact, Template, number


def _hour(hour: int) -> int:
    return (hour - 1) % 12 + 1


def _clock(hour: int, minute: int) -> Fact:
    words = {
        0: f"{hour} o'clock",
        30: f"half past {hour}",
        15: f"quarter past {hour}",
        45: f"quarter to {_hour(hour + 1)}",
    }
    key = f"{hour}:{minute:02}"
    told = {0: "no minutes", 30: "30 minutes", 15: "15 minutes", 45: "15 minutes to the full hour"}
    return Fact(
        f"Write {words[minute]} in numbers.",
        key,
        f"{words[minute].capitalize()} means {told[minute]}, so it is {key}.",
        {
            f"{_hour(hour + 1)}:{minute:02}": "Look at the hour again.",
            f"{hour}:{(minute + 30) % 60:02}": "Look at the minutes again.",
            f"{_hour(hour - 1)}:{minute:02}": "Look at the hour again.",
        },
        f"{words[minute].capitalize()} is {{}}.",
        {
            "kind": "time",
            "accepted": [key, *(f"{half}:{minute:02}" for half in (hour % 12, hour % 12 + 12) if half != hour)],
        },
    )


def _later(hour: int, minute: int, more: int) -> Fact:
    end = hour * 60 + minute + more
    key, start = f"{_hour(end // 60)}:{end % 60:02}", f"{hour}:{minute:02}"
    return Fact(
        f"It is {start}. What time is it {more} minutes later?",
        key,
        f"{minute} + {more} = {minute + more} minutes"
        + (f", and 60 minutes are an hour: {key}." if minute + more >= 60 else f": {key}."),
        {
            f"{hour}:{(minute + more + 5) % 60:02}": "Add the minutes again.",
            f"{_hour(end // 60 + 1)}:{end % 60:02}": "The minutes are right, the hour is not.",
            f"{_hour(hour)}:{(minute - more) % 60:02}": "Later means adding minutes.",
        },
        f"{more} minutes after {start} it is {{}}.",
        {"kind": "time", "accepted": [key]},
    )


def _coins(quarters: int, dimes: int, pennies: int) -> Fact:
    key = quarters * 25 + dimes * 10 + pennies
    return Fact(
        f"How many cents? Quarters: {quarters}, dimes: {dimes}, pennies: {pennies}.",
        str(key),
        f"{quarters} * 25 + {dimes} * 10 + {pennies} = {key} cents.",
        {
            str(quarters + dimes + pennies): "That is how many coins there are.",
            str(quarters * 25 + dimes * 5 + pennies): "A dime is 10 cents.",
            str(quarters * 20 + dimes * 10 + pennies): "A quarter is 25 cents.",
        },
        f"Quarters: {quarters}, dimes: {dimes}, pennies: {pennies}. Together {{}} cents.",
        number(str(key), stem_unit="cents"),
    )


def _change(price: int, paid: int) -> Fact:
    return Fact(
        f"You pay ${price} with ${paid}. Change in $?",
        str(paid - price),
        f"{paid} - {price} = {paid - price}.",
        {
            str(paid + price): "Change is what is left of your money.",
            str(paid - price + 1): "",
            str(paid - price + 10): "",
        },
        f"Paying ${price} from ${paid} leaves ${{}}.",
        number(str(paid - price), stem_unit="$"),
    )


_LARGER = {
    "m": ("cm", 100),
    "kg": ("g", 1000),
    "km": ("m", 1000),
    "l": ("ml", 1000),
    "cm": ("mm", 10),
    "min": ("s", 60),
    "h": ("min", 60),
}


def _into(many: int, unit: str) -> Fact:
    small, size = _LARGER[unit]
    wrong = 100 if size != 100 else 10
    return Fact(
        f"How many {small} are {many} {unit}?",
        str(many * size),
        f"1 {unit} is {size} {small}, so {many} {unit} are {many * size} {small}.",
        {
            str(many * wrong): f"1 {unit} has {size} {small}.",
            str(many * size * 10): f"1 {unit} has {size} {small}.",
            str(many + size): "Multiply; do not add.",
        },
        f"{many} {unit} are {{}} {small}.",
        number(str(many * size), stem_unit=small),
    )


def _together(many: int, unit: str, rest: int) -> Fact:
    small, size = _LARGER[unit]
    key = many * size + rest
    table = [{"name": small}, {"name": unit, "factor": str(size)}]
    return Fact(
        f"Write {many} {unit} {rest} {small} with one unit.",
        f"{key} {small}",
        f"{many} {unit} are {many * size} {small}, and {rest} more make {key} {small}.",
        {
            f"{many + rest} {small}": f"1 {unit} has {size} {small}.",
            f"{many}{rest}0 {small}": f"1 {unit} has {size} {small}." if f"{many}{rest}0" != str(key) else "",
            f"{many * size} {small}": f"Do not forget the {rest} {small}.",
        },
        f"{many} {unit} {rest} {small} are {{}}.",
        number(str(key), units={"mode": "convert", "expected": small, "table": table}),
    )


_T, _M, _S = "Time", "Money", "Measurement"
_STARTS = list(product(range(1, 12), range(5, 60, 5), (10, 15, 20, 25, 35, 40, 45, 50)))
TEMPLATES = [
    Template(
        name="clock",
        grade=1,
        topic=_T,
        skill="full and half hours",
        cases=list(product(range(1, 13), (0, 30))),
        fact=_clock,
        many=24,
    ),
    Template(
        name="clock",
        grade=2,
        topic=_T,
        skill="quarter hours",
        cases=list(product(range(1, 13), (15, 45))),
        fact=_clock,
        many=24,
    ),
    Template(
        name="into",
        grade=2,
        topic=_T,
        skill="hours and minutes",
        cases=[(n, u) for n in range(2, 11) for u in ("h", "min")],
        fact=_into,
        many=16,
    ),
    Template(name="later", grade=3, topic=_T, skill="adding minutes", cases=_STARTS, fact=_later, many=42),
    Template(
        name="coins",
        grade=2,
        topic=_M,
        skill="counting coins",
        cases=[c for c in product(range(1, 4), range(1, 6), range(1, 6)) if c[0] * 25 + c[1] * 10 + c[2] < 130],
        fact=_coins,
        many=14,
    ),
    Template(
        name="giving-change",
        grade=2,
        topic=_M,
        skill="giving change",
        cases=[(p, w) for w in (10, 20, 50) for p in range(2, w)],
        fact=_change,
        many=28,
    ),
    Template(
        name="into",
        grade=3,
        topic=_S,
        skill="units",
        cases=[(n, u) for n in range(2, 20) for u in ("m", "kg", "cm")],
        fact=_into,
        many=30,
    ),
    Template(
        name="into",
        grade=4,
        topic=_S,
        skill="units",
        cases=[(n, u) for n in range(3, 30) for u in ("m", "kg", "km", "l")],
        fact=_into,
        many=16,
    ),
    Template(
        name="together",
        grade=4,
        topic=_S,
        skill="lengths and weights",
        cases=[(n, "m", r) for n in range(2, 10) for r in range(12, 96, 7) if r % 10]
        + [(n, "kg", r) for n in range(2, 9) for r in range(125, 900, 75)],
        fact=_together,
        many=16,
    ),
    Template(
        name="together",
        grade=5,
        topic=_S,
        skill="lengths and weights",
        cases=[(n, u, r) for u in ("km", "l", "kg") for n in range(2, 30) for r in range(5, 900, 85)],
        fact=_together,
        many=26,
    ),
]
