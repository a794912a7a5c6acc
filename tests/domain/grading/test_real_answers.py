"""Real answers: what pupils typed, and the keys of real banks, read where they lie."""

import gzip
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from benchmarks.stream import SHARED_DATA
from domain.defects import defects_of
from domain.grading.mark import mark
from domain.grading.writing import renderings
from domain.question import Option, Question
from tests.domain.questions import choice, number, statement

FORMS = ["en", "de", "fr", "en-IN", "de-CH"]


def rows(name: str) -> list[dict[str, Any]]:
    file = SHARED_DATA / name
    if not file.exists():
        pytest.skip(f"{name} is absent")
    if name.endswith(".json"):
        return list(json.loads(file.read_text(encoding="utf-8")))
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def disagreements() -> Iterator[str]:
    for row in rows("assistments_real_answers.json"):
        marked = mark(number(*row["accepted"]), row["student_answer"])
        if (marked.verdict == "correct") != (row["expected"] == "correct"):
            yield f"{row['problem_id']}: {marked}"


def test_every_answer_that_pupils_typed_is_judged_as_their_teachers_did() -> None:
    assert len(rows("assistments_real_answers.json")) == 301
    assert list(disagreements()) == []


@pytest.mark.parametrize(("name", "count"), [("gsm8k_train.jsonl.gz", 7473), ("svamp.jsonl.gz", 1000)])
def test_every_key_of_a_bank_of_numbers_is_right_in_every_form_and_nothing_near_it(name: str, count: int) -> None:
    keys = [row["correct_answer"] for row in rows(name)]

    assert len(keys) == count
    for key in dict.fromkeys(keys):
        question = number(key)
        plain = key.replace(",", "")
        assert {mark(question, one).verdict for one in (key, plain, f" {plain}.0", f"{plain}/1")} == {"correct"}, key
        for locale in FORMS:
            written = list(renderings(question, locale))
            assert len(written) >= 2
            assert {mark(question, one, locale).verdict for one in written} == {"correct"}, (key, locale)
        near = (Fraction(plain) + 1, Fraction(plain) * 10 + 1, -Fraction(plain) - 1)
        assert {mark(question, str(one)).verdict for one in near} == {"incorrect"}, key
        assert defects_of(question) == []


def test_every_key_of_a_bank_of_choices_is_right_and_every_distractor_wrong() -> None:
    found = rows("arc_easy.jsonl.gz")

    assert len(found) == 2236
    for row in found:
        options = tuple(Option(id="abcde"[at], text=text) for at, text in enumerate(row["options"]))
        key = row["options"].index(row["correct_answer"])
        question = _choice(options, key)
        for at, option in enumerate(options):
            expected = "correct" if at == key else "incorrect"
            typed = (option.id, option.text, f" {option.text.upper()} ", [option.id])
            assert {mark(question, one).verdict for one in typed} == {expected}, row["id"]


def _choice(options: tuple[Option, ...], key: int) -> Question:
    return choice("abcde"[key], options=options)


def test_every_key_of_a_bank_of_statements_is_right_and_its_opposite_wrong() -> None:
    keys = [row["correct_answer"] for row in rows("boolq_train.jsonl.gz")]

    assert (keys.count("true"), keys.count("false")) == (5874, 3552)
    for key in (True, False):
        name, opposite = ("true", "false") if key else ("false", "true")
        assert mark(statement(key=key), name).verdict == mark(statement(key=key), key).verdict == "correct"
        assert mark(statement(key=key), opposite).verdict == "incorrect"
