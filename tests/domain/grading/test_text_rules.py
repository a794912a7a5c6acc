"""Text rules: T1 to T7, each by its id."""

from time import perf_counter

import pytest

from domain.grading.mark import mark, settle
from domain.grading.spelling import matches
from domain.question import Mistake, NumberBlank, Option, Question, TextBlank
from tests.domain.questions import blank, number, text


def verdict(question: Question, typed: object, locale: str = "en") -> str:
    return mark(question, typed, locale).verdict


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("the cat", "  THE\u00a0 cat\n"),
        ("don't", "don\u2019t"),
        ('say "hi"', "say \u201chi\u201d"),
        ("well-known", "well\u2010known"),
        ("well-known", "well\u2014known"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("stra\u00dfe", "STRA\u1e9eE"),
        ("\u03a3\u039f\u03a6\u039f\u03a3", "\u03c3\u03bf\u03c6\u03bf\u03c2"),
        ("cat", "ca\u200bt"),
    ],
)
def test_t1_what_only_looks_different_is_the_same(key: str, typed: str) -> None:
    marked = mark(text(key, accents="exact"), typed)

    assert (marked.verdict, marked.rule) == ("correct", "T1")


@pytest.mark.parametrize("typed", ["dog", "cats", "c at", "c", "cat dog", "\ud800", "\x00"])
def test_t1_anything_else_is_wrong(typed: str) -> None:
    assert verdict(text("cat"), typed) == ("ask_again" if typed == "\x00" else "incorrect")


def test_t1_case_counts_where_it_is_taught_and_may_be_worth_a_part() -> None:
    assert mark(text("Paris", case_sensitive=True), "paris").points == "0"
    partly = mark(text("Paris", case_sensitive=True, case_credit="0.5"), "paris")
    assert (partly.verdict, partly.points, partly.note) == ("correct", "1/2", "case")
    assert mark(text("Paris", case_sensitive=True), "Paris").points == "1"


def test_t1_what_was_read_can_be_written_anywhere() -> None:
    assert mark(text("cat"), "ca\ud800\u200b\x07 t").read_as.encode() == b"ca\xef\xbf\xbd t"


def test_t2_any_accepted_answer_is_right() -> None:
    assert {verdict(text("grey", "gray"), typed) for typed in ("grey", "Gray")} == {"correct"}


TWO_BLANKS = (NumberBlank(accepted=("4",)), TextBlank(accepted=("even",)))


@pytest.mark.parametrize(
    ("credit", "typed", "points"),
    [
        ("all_or_nothing", ("4", "even"), "1"),
        ("all_or_nothing", ("4", "odd"), "0"),
        ("proportional", ("4", "even"), "1"),
        ("proportional", ("4", "odd"), "1/2"),
        ("proportional", ("5", "odd"), "0"),
    ],
)
def test_t2_blanks_are_graded_one_by_one(credit: str, typed: tuple[str, ...], points: str) -> None:
    marked = mark(blank(*TWO_BLANKS, credit=credit), typed)

    assert (marked.points, marked.verdict) == (points, "incorrect" if points == "0" else "correct")
    assert [one.rule for one in marked.blanks] == ["N5", "T1"]
    assert mark(blank(*TWO_BLANKS, credit=credit), list(typed)) == marked


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (("4", ""), "blank"),
        (("4", None), "blank"),
        (("x", "odd"), "unreadable"),
        (("4",), "wrong_count"),
        ("4", "wrong_count"),
        (("4", "even", "1"), "wrong_count"),
        (None, "blank"),
        ("", "blank"),
        ((), "blank"),
        ((True, "even"), "unreadable"),
    ],
)
def test_t2_a_blank_that_was_not_read_is_asked_again(typed: object, code: str) -> None:
    assert mark(blank(*TWO_BLANKS), typed).code == code


def test_t2_at_the_end_what_was_not_read_is_wrong_and_the_rest_keeps_its_points() -> None:
    question = blank(*TWO_BLANKS, credit="proportional")

    settled = settle(question, mark(question, ("4", "")))

    assert (settled.verdict, settled.points, settled.code) == ("correct", "1/2", "blank")
    assert [one.verdict for one in settled.blanks] == ["correct", "incorrect"]
    assert settle(number("4"), mark(number("4"), "four")).verdict == "incorrect"
    assert settle(number("4"), mark(number("4"), "4")) == mark(number("4"), "4")


@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("\u0141\u00f3d\u017a", "Lodz"),
        ("sm\u00f8rrebr\u00f8d", "smorrebrod"),
        ("\u0110\u1ed3ng", "dong"),
        ("\u00e6on", "aeon"),
        ("pi\u00f1ata", "pinata"),
        ("cafe", "caf\u00e9"),
        ("\u0130stanbul", "istanbul"),
        ("\u1f10\u03bd", "\u03b5\u03bd"),
    ],
)
def test_t3_accents_fold_with_a_note_or_silently_or_not_at_all(key: str, typed: str) -> None:
    noted = mark(text(key), typed)

    assert (noted.verdict, noted.rule, noted.note) == ("correct", "T3", "accents")
    assert mark(text(key, accents="fold"), typed)[:2] == ("correct", "T3")
    assert mark(text(key, accents="fold"), typed).note is None
    assert verdict(text(key, accents="exact"), typed) == "incorrect"
    assert verdict(text(key, teaches_language=True), typed) == "incorrect"


@pytest.mark.parametrize(
    ("key", "typed"),
    [("\u304c", "\u304b"), ("\u0915\u093f", "\u0915"), ("\u0439", "\u0438"), ("\u0e01\u0e34", "\u0e01")],
)
def test_t3_marks_that_make_another_letter_never_fold(key: str, typed: str) -> None:
    assert verdict(text(key, accents="fold"), typed) == "incorrect"


@pytest.mark.parametrize(
    ("key", "typed", "expected"),
    [
        ("cat", "cap", "incorrect"),
        ("cats", "cap", "incorrect"),
        ("cats", "cat", "correct"),
        ("their", "thier", "correct"),
        ("their", "theiir", "correct"),
        ("their", "thoir", "correct"),
        ("their", "tehri", "incorrect"),
        ("evaporation", "evapuration", "correct"),
        ("evaporation", "evapuratoin", "correct"),
        ("evaporation", "avapuratoin", "incorrect"),
        ("evaporation", "evaporationss", "correct"),
        ("evaporation", "evaporationsss", "incorrect"),
    ],
)
def test_t4_edits_are_forgiven_by_length_where_the_question_says_so(key: str, typed: str, expected: str) -> None:
    assert verdict(text(key, spelling_tolerance=True), typed) == expected
    assert verdict(text(key), typed) == "incorrect"


def test_t4_another_word_is_never_taken_for_a_misspelling() -> None:
    tolerant = {"spelling_tolerance": True, "homophones": ("There",)}

    assert verdict(text("their", **tolerant), "there") == "incorrect"
    assert mark(text("their", **tolerant), "thier")[:2] == ("correct", "T4")
    mistaken = text("desert", spelling_tolerance=True, mistakes=(Mistake(answer="dessert", feedback="Sweet."),))
    assert (mark(mistaken, "dessert").verdict, mark(mistaken, "Dessert!").feedback) == ("incorrect", "Sweet.")
    offered = text("affect", spelling_tolerance=True).model_copy(update={"options": (Option(id="a", text="effect"),)})
    assert verdict(offered, "effect") == "incorrect"
    assert verdict(offered, "afect") == "correct"


@pytest.mark.parametrize(
    ("language", "key", "typed"),
    [
        ("en", "cat", "the cat"),
        ("en", "an apple", "apple"),
        ("de", "Hund", "der Hund"),
        ("fr", "eau", "l'eau"),
        ("fr-CA", "\u00e9cole", "L\u2019\u00e9cole"),
        ("it", "amico", "un amico"),
        ("es", "casa", "la casa"),
    ],
)
def test_t5_a_leading_article_is_ignored_where_the_question_says_so(language: str, key: str, typed: str) -> None:
    assert verdict(text(key, ignore_articles=True, language=language), typed) == "correct"
    assert verdict(text(key, language=language), typed) == "incorrect"


@pytest.mark.parametrize("typed", ["a", "the", "cat the", "thecat"])
def test_t5_only_a_leading_article_of_a_longer_text_is_ignored(typed: str) -> None:
    assert verdict(text("cat", ignore_articles=True), typed) == "incorrect"
    assert verdict(text("a", ignore_articles=True), "a") == "correct"


@pytest.mark.parametrize(
    ("pattern", "typed", "matches"),
    [
        ("photo*", "photosynthesis", True),
        ("*synthesis", "photosynthesis", True),
        ("ph*th*s", "photosynthesis", True),
        ("ph*x*s", "photosynthesis", False),
        ("photo*", "photo", True),
        ("*ph*", "photo", True),
        ("*to*", "photo", True),
        ("*ph*ph*", "photo", False),
        ("photo*photo", "photo", False),
        ("a.c", "abc", False),
        ("(a+)+b", "aaab", False),
        ("[", "[", True),
    ],
)
def test_t6_an_asterisk_stands_for_anything_and_nothing_else_is_special(
    pattern: str, typed: str, *, matches: bool
) -> None:
    assert verdict(text(pattern, wildcards=True), typed) == ("correct" if matches else "incorrect")


def test_t6_matching_takes_time_in_proportion_to_the_answer() -> None:
    question = text("*a" * 60 + "*b", wildcards=True)
    typed = "a" * 255 + "c"

    best = min(_seconds(question, typed) for _ in range(20))

    assert verdict(question, typed) == "incorrect"
    assert best < 0.001


def _seconds(question: Question, typed: str) -> float:
    began = perf_counter()
    mark(question, typed)
    return perf_counter() - began


def test_t6_a_pattern_without_an_asterisk_is_a_word() -> None:
    assert matches("cat", "cat")
    assert not matches("cat", "dog")
