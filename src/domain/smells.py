"""Smells: what is doubtful about a question although it can be graded: its key shows, or its text is broken.

Thresholds are such that of real banks, written with care, less than one question in a hundred is named.
"""

import re
from collections.abc import Iterator

from domain.defects import Defect
from domain.grading.wording import fold_case, tidy
from domain.question import FillIn, MultipleChoice, Question, TextBlank

LONGEST_STEM, LONGEST_OPTION, LONGEST_KEY = 1_500, 250, 80
LONGEST_EXPLANATION, LONGEST_HINT = 4_000, 500
"""Characters."""
_TELLING = 4
"""Letters of a key that is told from the words around it."""
_TIMES_LONGER, _LONGER_BY = 2, 30
"""A key stands out that is this many times as long as any other option, and by so many characters."""

_ASKS_FOR_NUMBER = re.compile(
    r"\b(how (many|much|old|far|tall|deep|heavy|wide)|what (number|percentage|percent|fraction)|what is the "
    r"(sum|difference|product|quotient|remainder|total|value|area|perimeter|volume|average|mean|median))\b"
)
_WORDS = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<(/?)(b|i|u|em|strong|sub|sup|span|div|code|table|a)(?:\s[^<>]*)?>", re.IGNORECASE)
_BROKEN = (
    (re.compile(r"&(?:[a-z]{2,8}|#[0-9]{1,6}|#x[0-9a-f]{1,6});", re.IGNORECASE), "an HTML entity"),
    (re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"), "a character that nothing shows"),
    (re.compile("\u00e2\u20ac|[\u00c2\u00c3][\u0080-\u00bf]"), "letters of a wrong encoding"),
)
_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), (r"\begin{", r"\end{"))


def smells_of(question: Question) -> list[Defect]:
    """Return what is doubtful about a question, each once."""
    return [*_lengths(question), *_markup(question), *_keys(question)]


def _lengths(question: Question) -> Iterator[Defect]:
    limits = [
        ("The question", [question.stem], LONGEST_STEM),
        ("An option", [option.text for option in question.options], LONGEST_OPTION),
        ("The explanation", [question.explanation], LONGEST_EXPLANATION),
        ("A hint", question.hints, LONGEST_HINT),
        ("A key", [key for blank in _text_blanks(question) for key in blank.accepted], LONGEST_KEY),
    ]
    for name, texts, most in limits:
        if any(len(text) > most for text in texts):
            yield Defect("overlong_text", f"{name} has more than {most:,} characters.")
    if not all(map(tidy, question.hints)):
        yield Defect("empty_hint", "A hint has no text.")


def _markup(question: Question) -> Iterator[Defect]:
    texts = (question.stem, *(option.text for option in question.options), question.explanation, *question.hints)
    for says in dict.fromkeys(found for text in texts for found in _broken(text)):
        yield Defect("broken_markup", f"There is {says}.")


def _broken(text: str) -> Iterator[str]:
    for pattern, says in _BROKEN:
        if pattern.search(text):
            yield says
    opened = [name.lower() for slash, name in _TAG.findall(text) if not slash]
    closed = [name.lower() for slash, name in _TAG.findall(text) if slash]
    if sorted(opened) != sorted(closed):
        yield "a tag that is not closed"
    if any(text.count(left) != text.count(right) for left, right in _PAIRS) or text.count("$$") % 2:
        yield "a formula that does not end"
    if re.search(r"\\(frac|sqrt|text)\b", text) and text.count("{") != text.count("}"):
        yield "a formula whose braces do not match"
    if text.count("```") % 2:
        yield "a block of code that does not end"


def _keys(question: Question) -> Iterator[Defect]:
    grading = question.grading
    stem = _words(question.stem)
    if isinstance(grading, MultipleChoice):
        keys = [option.text for option in question.options if option.id in grading.key]
        others = [option.text for option in question.options if option.id not in grading.key]
        if not grading.several and keys and others:
            yield from _of_choice(stem, keys[0], others)
    elif isinstance(grading, FillIn):
        words = _text_blanks(question)
        if any(_is_told(stem, key) for blank in words for key in blank.accepted):
            yield Defect("key_in_stem", "The key stands in the question.")
        if words and len(grading.blanks) == 1 and _ASKS_FOR_NUMBER.search(fold_case(question.stem)):
            yield Defect("no_number", "A number is asked for, and the key is none.")


def _of_choice(stem: str, key: str, others: list[str]) -> Iterator[Defect]:
    if _is_told(stem, key) and not any(_is_told(stem, other) for other in others):
        yield Defect("key_in_stem", "The key stands in the question, and no other option does.")
    longest = max(map(len, others))
    if len(key) > max(_TIMES_LONGER * longest, longest + _LONGER_BY):
        yield Defect("unbalanced_options", "The key is by far the longest option.")


def _is_told(stem: str, key: str) -> bool:
    """Tell whether a key of some length stands in a stem, word for word."""
    wanted = _words(key)
    return sum(map(str.isalpha, wanted)) >= _TELLING and wanted in stem


def _words(text: str) -> str:
    return " ".join(("", *_WORDS.findall(fold_case(tidy(text))), ""))


def _text_blanks(question: Question) -> list[TextBlank]:
    grading = question.grading
    return [blank for blank in grading.blanks if isinstance(blank, TextBlank)] if isinstance(grading, FillIn) else []
