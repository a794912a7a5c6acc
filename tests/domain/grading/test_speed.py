"""Speed: no answer of up to 256 characters takes a millisecond, however it was made."""

from time import perf_counter

import pytest

from domain.grading.mark import mark
from domain.question import (
    Absolute,
    ListBlank,
    Mistake,
    NumberBlank,
    Option,
    Precision,
    Question,
    RatioBlank,
    TextBlank,
    TimeBlank,
    Unit,
    Units,
)
from tests.domain.questions import blank, choice, number, statement, text

BOUND = 0.001
ALWAYS = 40
"""Tries of which the best counts: a busy machine is late now and then, a slow algorithm always."""

KEYS = tuple(str(key) for key in range(50))
WORDS = tuple(f"{'ab' * 12}{at:02}" for at in range(50))
LENGTHS = Units(mode="convert", expected="u0", table=tuple(Unit(name=f"u{at}", factor="1/60") for at in range(30)))
QUESTIONS = {
    "number": number(*KEYS, mistakes=tuple(Mistake(answer=key, feedback="No.") for key in KEYS)),
    "tolerance": number(*KEYS, tolerance=Absolute(amount="0.001"), number_words=True),
    "precision": number(*KEYS, precision=Precision(kind="significant_figures", digits=3)),
    "units": number("5", units=LENGTHS),
    "text": text(*WORDS, accents="fold_with_note"),
    "spelling": text(*WORDS[:10], "a" * 250, spelling_tolerance=True, homophones=WORDS[10:]),
    "wildcards": text("*a" * 60 + "*b", "*ab" * 60 + "*c", wildcards=True),
    "set": blank(ListBlank(kind="set", items=tuple(NumberBlank(accepted=(str(at),)) for at in range(10)))),
    "set of words": blank(ListBlank(kind="set", items=tuple(TextBlank(accepted=(f"word{at}",)) for at in range(10)))),
    "ratio": blank(RatioBlank(accepted=("3:4",))),
    "time": blank(TimeBlank(accepted=("9:05",))),
    "choice": choice("a", options=tuple(Option(id=chr(97 + at), text="x" * at) for at in range(26))),
    "statement": statement(key=True),
}
ANSWERS = {
    "digits": "9" * 256,
    "thirty digits": "9" * 30,
    "groups": "1,234" * 51,
    "thousands": "1" + ",000" * 63,
    "spaced thousands": "1" + " 000" * 63,
    "spaces": " " * 255 + "5",
    "slashes": "1/" * 128,
    "mixed": "1 1/2 " * 42,
    "powers": "9" * 28 + "e99",
    "small": "1e-99",
    "percents": "%" * 256,
    "vulgar": "\u00bd" * 256,
    "invisible": "\u200b" * 255 + "5",
    "combining": "e" + "\u0301" * 255,
    "ligatures": "\ufdfa" * 256,
    "raised": "a\u00b2" * 128,
    "letters": "a" * 256,
    "nearly": "a" * 248 + "ba",
    "pairs": "ab" * 12 + "99",
    "list": ", ".join(str(9 - at) for at in range(10)),
    "list of words": "; ".join(f"word{9 - at}" for at in range(10)),
    "accents": "\u00e9" * 256,
    "surrogates": "\ud800" * 256,
    "emoji": "\U0001f468\u200d\U0001f469" * 85,
    "units": "5 " + "m" * 254,
    "words": "one hundred and " * 16,
    "thousand": "thousand " * 28,
    "brackets": "(" * 128 + ")" * 128,
    "semicolons": ";" * 256,
    "commas": "1,2" * 85,
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_no_answer_takes_a_millisecond(question: Question) -> None:
    slow = {}
    for name, answer in ANSWERS.items():
        assert len(answer) <= 256
        best = min(_seconds(question, answer) for _ in range(3))
        if best >= BOUND / 2:
            best = min(_seconds(question, answer) for _ in range(ALWAYS))
        if best >= BOUND:
            slow[name] = best

    assert slow == {}


def _seconds(question: Question, answer: str) -> float:
    began = perf_counter()
    mark(question, answer)
    return perf_counter() - began
