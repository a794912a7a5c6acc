"""Properties: what holds of grading whatever is asked and whatever is typed."""

import unicodedata
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from domain.grading.locales import LOCALES, find_locale
from domain.grading.mark import mark, settle
from domain.grading.marks import Code, Mark, Unread
from domain.grading.notation import plain_notation
from domain.grading.numbers import Number, read_number
from domain.grading.writing import FORMS, renderings, write_number
from domain.question import (
    Absolute,
    Blank,
    Form,
    ListBlank,
    Mistake,
    NumberBlank,
    Option,
    Precision,
    Question,
    Range,
    RatioBlank,
    Relative,
    TextBlank,
    TimeBlank,
    Tolerance,
    Unit,
    Units,
)
from tests.domain.questions import blank, choice, number, statement, text

LOCALE_TAGS = sorted(LOCALES)
NUMERIC = st.text(
    st.sampled_from("0123456789.,'/ -+%eExX^*:$\u00bd\u2153\u00d7\u2212\u00b2\u0665\u00a0\u202f\u200b cm"), max_size=24
)
TYPED = st.one_of(st.text(max_size=300), NUMERIC, st.text(st.characters(), min_size=250, max_size=260))
EXACT = st.builds(lambda top, places: f"{top}.{places}", st.integers(-99, 99), st.integers(0, 99))
KEYS = st.one_of(EXACT, NUMERIC, st.text(max_size=20), st.sampled_from(["1/2", "3", "-7", "50%", "1 1/2"]))
ACCEPTED = st.lists(KEYS, max_size=4).map(tuple)
FORM_LISTS = st.lists(st.sampled_from(FORMS), unique=True, max_size=4).map(tuple)
TOLERANCES = st.one_of(
    st.none(),
    st.builds(Absolute, amount=EXACT),
    st.builds(Relative, amount=EXACT),
    st.builds(Range, low=EXACT, high=EXACT, low_is_open=st.booleans(), high_is_open=st.booleans()),
)
UNITS = st.builds(
    Units,
    mode=st.sampled_from(["exact", "convert", "unit_only"]),
    expected=st.sampled_from(["cm", "m", "$", "h:mm", "x"]),
    table=st.lists(
        st.builds(
            Unit,
            name=st.sampled_from(["cm", "m", "$", "h:mm", "", "\u00b2"]),
            factor=st.sampled_from(["1", "0", "1/60"]),
            offset=st.sampled_from(["0", "-1"]),
        ),
        max_size=4,
    ).map(tuple),
    wrong_unit_credit=st.sampled_from(["0", "0.5", "-3", "7"]),
)
NUMBERS = st.builds(
    NumberBlank,
    accepted=ACCEPTED,
    tolerance=TOLERANCES,
    forms=FORM_LISTS,
    strict=st.booleans(),
    simplify=st.sampled_from(["optional", "required", "enforced"]),
    precision=st.none()
    | st.builds(Precision, kind=st.sampled_from(["decimal_places", "significant_figures"]), digits=st.integers(0, 15)),
    asks_percent=st.booleans(),
    units=st.none() | UNITS,
    stem_unit=st.none() | st.sampled_from(["cm", "$", "%", "", "\u0130"]),
    number_words=st.booleans(),
)
TEXTS = st.builds(
    TextBlank,
    accepted=ACCEPTED,
    case_sensitive=st.booleans(),
    accents=st.sampled_from(["exact", "fold", "fold_with_note"]),
    spelling_tolerance=st.booleans(),
    homophones=ACCEPTED,
    ignore_articles=st.booleans(),
    wildcards=st.booleans(),
    final_punctuation=st.sampled_from(["ignored", "counts"]),
)
LISTS = st.builds(
    ListBlank, kind=st.sampled_from(["list", "set"]), items=st.lists(NUMBERS | TEXTS, max_size=4).map(tuple)
)
BLANKS = st.one_of(
    NUMBERS, TEXTS, LISTS, st.builds(RatioBlank, accepted=ACCEPTED), st.builds(TimeBlank, accepted=ACCEPTED)
)
MISTAKES = st.lists(
    st.builds(Mistake, answer=KEYS, feedback=st.just("No."), credit=EXACT, blank=st.integers(0, 2)), max_size=2
)
OPTIONS = st.lists(
    st.builds(
        Option,
        id=st.sampled_from("abcd"),
        text=st.text(max_size=6),
        role=st.sampled_from(["ordinary", "none_of_the_above"]),
    ),
    max_size=4,
).map(tuple)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Draw any question that can be made, sound or not."""
    mistakes = tuple(draw(MISTAKES))
    match draw(st.integers(0, 3)):
        case 0:
            key = draw(st.lists(st.sampled_from("abcde"), max_size=3))
            several, credit = draw(st.booleans()), draw(st.sampled_from(["all_or_nothing", "proportional"]))
            return choice(*key, options=draw(OPTIONS), several=several, credit=credit, mistakes=mistakes)
        case 1:
            return statement(key=draw(st.booleans()), mistakes=mistakes)
        case _:
            made = blank(
                *draw(st.lists(BLANKS, max_size=3)), credit=draw(st.sampled_from(["all_or_nothing", "proportional"]))
            )
            return made.model_copy(update={"mistakes": mistakes, "options": draw(OPTIONS)})


ANSWERS = st.one_of(
    TYPED,
    st.booleans(),
    st.none(),
    st.integers(),
    st.binary(),
    st.lists(st.one_of(TYPED, st.booleans(), st.none()), max_size=4),
)
MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(questions(), ANSWERS, st.sampled_from(LOCALE_TAGS) | st.text(max_size=8))
def test_1_every_answer_to_every_question_gets_a_mark(question: Question, answer: object, locale: str) -> None:
    marked = mark(question, answer, locale)

    assert 0 <= Fraction(marked.points) <= 1
    assert (marked.verdict == "correct") == (Fraction(marked.points) > 0)
    assert (marked.verdict == "ask_again") == (marked.code is not None)
    assert marked.code is None or marked.code in get_args(Code)
    assert marked.rule
    assert marked.read_as.encode().decode() == marked.read_as
    assert settle(question, marked).verdict != "ask_again"


RATIONALS = st.builds(
    Fraction, st.integers(-(10**6), 10**6), st.sampled_from([1, 2, 3, 4, 5, 7, 8, 10, 16, 25, 100, 1000])
)
SPACES = st.text(st.sampled_from(" \u00a0\u202f\t\u3000"), max_size=3)
INVISIBLE = st.sampled_from(["", "\u200b", "\u00ad", "\u2060", "\ufeff"])


@MANY
@given(RATIONALS, st.sampled_from(FORMS), st.sampled_from(LOCALE_TAGS), st.data())
def test_2_what_shows_or_means_nothing_changes_nothing(
    value: Fraction, form: Form, locale: str, data: st.DataObject
) -> None:
    written = write_number(value, form, find_locale(locale))
    assume(written is not None and form != "ratio")
    assert written is not None
    sign, size = ("-", written[1:]) if written.startswith("-") else ("", written)
    minus = data.draw(st.sampled_from("-\u2212\u2013\u2014")) if sign else data.draw(st.sampled_from(["", "+", "+ "]))
    zeros = "0" * data.draw(st.integers(0, 3))
    at = data.draw(st.integers(0, len(size)))
    disguised = f"{minus}{zeros}{size[:at]}{data.draw(INVISIBLE)}{size[at:]}{zeros if form == 'decimal' else ''}"
    typed = f"{data.draw(SPACES)}{disguised}{data.draw(SPACES)}"
    question, elsewhere = number(str(value)), number(str(value + 1))

    assert mark(question, typed, locale).verdict == mark(question, written, locale).verdict == "correct"
    assert mark(elsewhere, typed, locale).verdict == mark(elsewhere, written, locale).verdict == "incorrect"


@MANY
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.text(max_size=8), SPACES)
def test_2_composed_and_decomposed_texts_are_the_same(typed: str, key: str, spaces: str) -> None:
    for question in (text(key), text(typed), text(key, accents="exact"), number(key)):
        first, *others = (
            mark(question, f"{spaces}{unicodedata.normalize(form, typed)}{spaces}")[:3] for form in ("NFC", "NFD")
        )
        assert others == [first]


@MANY
@given(RATIONALS, st.sampled_from(FORMS), st.sampled_from(LOCALE_TAGS))
@example(Fraction(17, 8), "mixed", "fr")
@example(Fraction(-1, 1000), "scientific", "de-ch")
def test_3_what_is_written_is_read_back(value: Fraction, form: Form, locale: str) -> None:
    notation = find_locale(locale)
    written = write_number(value, form, notation)
    assume(written is not None)
    assert written is not None

    plain = plain_notation(written)
    assert isinstance(plain, str)
    number_read = read_number(plain, notation, ratio=True)

    assert isinstance(number_read, Number)
    assert (number_read.value / 100 if number_read.percent else number_read.value) == value
    assert number_read.simplest
    assert ("percent" if number_read.percent else number_read.form) == form


@MANY
@given(NUMERIC, RATIONALS, RATIONALS, st.sampled_from(LOCALE_TAGS))
def test_4_no_text_is_right_for_two_different_keys(typed: str, one: Fraction, other: Fraction, locale: str) -> None:
    assume(one != other)
    plain = plain_notation(typed)
    keys = [str(one), str(other)]
    if not isinstance(plain, Unread):
        found = read_number(plain, find_locale(locale))
        keys += [str(found.value), str(found.value / 100)] if isinstance(found, Number) else []

    verdicts = [mark(number(key), typed, locale).verdict for key in dict.fromkeys(keys)]

    assert verdicts.count("correct") <= 1


@MANY
@given(key=RATIONALS, typed=RATIONALS, power=st.integers(-6, 6), same=st.booleans())
def test_5_scaling_key_and_answer_alike_keeps_the_verdict(
    key: Fraction, typed: Fraction, power: int, *, same: bool
) -> None:
    typed = key if same else typed
    scale = Fraction(10) ** power

    scaled = mark(number(str(key * scale)), str(typed * scale))

    assert scaled.verdict == mark(number(str(key)), str(typed)).verdict == ("correct" if key == typed else "incorrect")


@MANY
@given(
    key=RATIONALS,
    typed=RATIONALS,
    narrow=st.integers(0, 10**6),
    more=st.integers(0, 10**6),
    relative=st.booleans(),
)
def test_5_a_wider_tolerance_never_makes_wrong_of_right(
    key: Fraction, typed: Fraction, narrow: int, more: int, *, relative: bool
) -> None:
    def within(amount: int) -> str:
        tolerance: Tolerance = Relative(amount=str(amount)) if relative else Absolute(amount=str(amount))
        return mark(number(str(key), tolerance=tolerance), str(typed)).verdict

    assert (within(narrow), within(narrow + more)) != ("correct", "incorrect")
    assert within(narrow) == ("correct" if abs(key - typed) <= narrow * (abs(key) if relative else 1) else "incorrect")


@MANY
@given(BLANKS, ANSWERS, KEYS, st.sampled_from(LOCALE_TAGS))
def test_5_one_more_accepted_answer_never_makes_wrong_of_right(
    asked: Blank, answer: object, more: str, locale: str
) -> None:
    assume(not isinstance(asked, ListBlank))
    assert not isinstance(asked, ListBlank)
    wider = asked.model_copy(update={"accepted": (*asked.accepted, more)})

    before, after = mark(blank(asked), answer, locale), mark(blank(wider), answer, locale)

    assert before.verdict != "correct" or after.verdict == "correct"
    assert Fraction(before.points) <= Fraction(after.points)


@MANY
@given(
    key=RATIONALS,
    forms=FORM_LISTS,
    simplify=st.sampled_from(["optional", "required", "enforced"]),
    locale=st.sampled_from(LOCALE_TAGS),
    strict=st.booleans(),
)
def test_6_the_key_in_every_allowed_form_is_right(
    key: Fraction, forms: tuple[Any, ...], simplify: str, locale: str, *, strict: bool
) -> None:
    question = number(str(key), forms=forms, simplify=simplify, strict=strict)

    for written in renderings(question, locale):
        assert mark(question, written, locale).verdict == "correct", written


@MANY
@given(st.text(min_size=1, max_size=20), TEXTS)
def test_6_a_text_key_is_right(key: str, asked: TextBlank) -> None:
    question = blank(asked.model_copy(update={"accepted": (key,), "wildcards": False}))

    marked = mark(question, key)

    assert marked.code == "blank" or (marked.verdict, marked.points) == ("correct", "1")


@MANY
@given(RATIONALS, RATIONALS, st.sampled_from(FORMS))
def test_6_an_expected_mistake_is_wrong_in_every_form(key: Fraction, wrong: Fraction, form: Form) -> None:
    written = write_number(wrong, form)
    assume(written is not None and form != "ratio" and key != wrong)
    question = number(str(key), mistakes=(Mistake(answer=str(wrong), feedback="No."),))

    marked = mark(question, written)

    assert (marked.verdict, marked.feedback) == ("incorrect", "No.")


@MANY
@given(st.permutations(range(5)), st.integers(0, 4), st.integers(0, 4))
def test_6_and_7_distractors_are_wrong_in_any_order_of_the_options(order: list[int], key: int, chosen: int) -> None:
    options = tuple(Option(id=f"o{at}", text=f"Text {at}") for at in order)
    question = choice(f"o{key}", options=options)

    for answer in (f"o{chosen}", f"text  {chosen}"):
        assert mark(question, answer).verdict == ("correct" if key == chosen else "incorrect")


@MANY
@given(st.lists(st.tuples(NUMBERS | TEXTS, TYPED), min_size=2, max_size=4))
def test_7_a_blank_is_graded_without_regard_to_the_others(given_blanks: list[tuple[Any, str]]) -> None:
    together = mark(blank(*(asked for asked, _ in given_blanks)), [typed for _, typed in given_blanks])

    assert list(together.blanks) == [mark(blank(asked), typed) for asked, typed in given_blanks]


@MANY
@given(questions(), ANSWERS, st.sampled_from(LOCALE_TAGS))
def test_8_the_same_version_gives_the_same_mark_byte_for_byte(question: Question, answer: object, locale: str) -> None:
    stored = Question.model_validate_json(question.model_dump_json())

    assert repr(mark(stored, answer, locale)) == repr(mark(question, answer, locale))


@pytest.mark.parametrize("field", ["verdict", "rule", "points", "read_as", "grader"])
def test_8_a_mark_says_what_a_regrade_compares(field: str) -> None:
    assert field in Mark._fields
    assert mark(number("1"), "1").grader == 1
