"""Writing: numbers and keys as a learner of some locale writes them; what is written here is read back the same."""

from collections.abc import Iterator
from fractions import Fraction

from domain.grading.locales import ENGLISH, Locale, find_locale
from domain.grading.marks import Unread
from domain.grading.number_blanks import key_value
from domain.grading.numbers import MOST_DIGITS, TIMES, Number, read_key
from domain.question import Blank, FillIn, Form, ListBlank, MultipleChoice, NumberBlank, Question, TextBlank

FORMS: tuple[Form, ...] = ("integer", "decimal", "proper", "improper", "mixed", "percent", "ratio", "scientific")


def write_number(value: Fraction, form: Form, locale: Locale = ENGLISH) -> str | None:
    """Write a number in lowest terms in one form; None if it cannot be written so, or not in 30 digits."""
    sign, size = "-" if value < 0 else "", abs(value)
    text = _written(size, form, locale)
    return None if text is None or sum(map(str.isdecimal, text)) > MOST_DIGITS else sign + text


def renderings(question: Question, locale: str = "en") -> Iterator[str]:
    """Yield every text that is right for a question of one blank: each key in each form that is allowed."""
    grading = question.grading
    if not isinstance(grading, FillIn) or len(grading.blanks) != 1:
        return
    blank = grading.blanks[0]
    if isinstance(blank, NumberBlank):
        for key in blank.accepted:
            yield from _number_renderings(blank, key, find_locale(locale))
    elif isinstance(blank, TextBlank) and not blank.wildcards:
        yield from blank.accepted


def write_key(question: Question, locale: str = "en") -> str:
    """Write what is right, for people: the option's text, or the first accepted answer; several apart by `;`."""
    grading = question.grading
    if isinstance(grading, MultipleChoice):
        return "; ".join(option.text for option in question.options if option.id in grading.key)
    if isinstance(grading, FillIn):
        return "; ".join(_write_blank(blank, find_locale(locale)) for blank in grading.blanks)
    return "true" if grading.key else "false"


def _write_blank(blank: Blank, locale: Locale) -> str:
    if isinstance(blank, ListBlank):
        return "; ".join(_write_blank(item, locale) for item in blank.items)
    if isinstance(blank, NumberBlank) and blank.units is not None and blank.units.mode == "unit_only":
        return blank.units.expected
    first = blank.accepted[0] if blank.accepted else ""
    if not isinstance(blank, NumberBlank):
        return first
    number = read_key(first, ratio="ratio" in blank.forms)
    text = first if isinstance(number, Unread) else _in_notation(number, locale)
    if blank.asks_percent and not text.endswith("%"):
        return f"{text}%"
    return f"{text} {blank.units.expected}" if blank.units is not None else text


def _in_notation(number: Number, locale: Locale) -> str:
    return number.text.replace(".", locale.decimal)


def _number_renderings(blank: NumberBlank, key: str, locale: Locale) -> Iterator[str]:
    value = key_value(blank, key)
    if value is None or blank.precision is not None or blank.units is not None:
        return
    for form in blank.forms or FORMS:
        if form == "ratio" and "ratio" not in blank.forms:
            continue
        if blank.asks_percent and form in {"percent", "ratio"}:
            continue
        text = write_number(value, form, locale)
        if text is not None:
            yield f"{text}%" if blank.asks_percent else text


def _written(size: Fraction, form: Form, locale: Locale) -> str | None:
    match form:
        case "integer":
            return str(size) if size.denominator == 1 else None
        case "decimal":
            return f"{size}{locale.decimal}0" if size.denominator == 1 else _decimal(size, locale)
        case "percent":
            percent = _decimal(size * 100, locale)
            return None if percent is None else f"{percent}%"
        case "scientific":
            return _scientific(size, locale)
        case _:
            return _fraction(size.numerator, size.denominator, form)


def _fraction(top: int, bottom: int, form: Form) -> str | None:
    if form == "ratio":
        return f"{top}:{bottom}" if top else None
    if form == "mixed":
        return f"{top // bottom} {top % bottom}/{bottom}" if top > bottom > 1 else None
    is_of_form = 0 < top < bottom if form == "proper" else top >= bottom > 1
    return f"{top}/{bottom}" if is_of_form else None


def _decimal(size: Fraction, locale: Locale) -> str | None:
    places = next((places for places in range(MOST_DIGITS + 1) if 10**places % size.denominator == 0), None)
    if places is None:
        return None
    digits = str(size.numerator * (10**places // size.denominator)).rjust(places + 1, "0")
    return f"{digits[:-places]}{locale.decimal}{digits[-places:]}" if places else digits


def _scientific(size: Fraction, locale: Locale) -> str | None:
    if not size:
        return None
    power = len(str(size.numerator)) - len(str(size.denominator))
    power -= size < Fraction(10) ** power
    mantissa = _decimal(size / Fraction(10) ** power, locale)
    return None if mantissa is None or abs(power) > 99 else f"{mantissa}{TIMES}10^{power}"  # noqa: PLR2004  two digits
