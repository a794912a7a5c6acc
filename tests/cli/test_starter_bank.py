"""Starter bank: questions of our own, in which our own checker and grader find nothing wrong; imported once."""

import re
from collections import defaultdict
from fractions import Fraction
from functools import cache

import pytest

from cli.question_check import QuestionCheck
from cli.starter_bank import starter_lines, starter_topics
from domain.grading.mark import mark
from domain.grading.numbers import read_key
from domain.grading.writing import write_key
from domain.question import Question
from domain.question_line import read_line
from projections.published_questions import count_published
from tests.cli.conftest import Terminal
from tests.eventstore.conftest import Store

SUM = re.compile(r"(?:What is )?(\S+) ([+\u2212\u00d7\u00f7]) (\S+?)(?:\?| = (\S+))")
NUMBER = re.compile(r"\(?(\u2212?[0-9./]+)\)?")


@cache
def bank() -> list[Question]:
    return [read_line(line) for _, line in starter_lines()]


def worth(text: str) -> Fraction | None:
    found = NUMBER.fullmatch(text)
    return None if found is None else Fraction(found[1].replace("\u2212", "-"))


def result(one: Fraction, sign: str, other: Fraction) -> Fraction:
    match sign:
        case "+":
            return one + other
        case "\u2212":
            return one - other
        case "\u00d7":
            return one * other
        case _:
            return one / other


def test_our_own_checker_finds_no_defect_and_no_repetition() -> None:
    checking = QuestionCheck()

    for _ in checking.of(starter_lines()):
        pass

    report = checking.report()
    assert report.by_code == {}
    assert report.lines > 2000


def test_every_key_is_right_and_every_distractor_and_mistake_is_not() -> None:
    for question in bank():
        key = question.grading.key if question.type == "true_false" else write_key(question)  # type: ignore[union-attr]
        assert mark(question, key if isinstance(key, bool) else str(key), "en").verdict == "correct", question.source
        wrong = [option.text for option in question.options if option.text != key]
        wrong += [one.answer for one in question.mistakes]
        assert {mark(question, one, "en").verdict for one in wrong} <= {"incorrect", "ask_again"}, question.source
        assert len(question.accept) > 0
        assert len(question.reject) > 0


def test_arithmetic_done_again_comes_to_the_same() -> None:
    done = 0
    for question in bank():
        found = SUM.fullmatch(question.stem)
        one, other = (worth(found[1]), worth(found[3])) if found else (None, None)
        if found is None or one is None or other is None:
            continue
        done += 1
        value = result(one, found[2], other)
        if question.type == "true_false":
            assert question.grading.key == (worth(found[4]) == value), question.source  # type: ignore[union-attr]
        else:
            key = read_key(write_key(question).replace("\u2212", "-"))
            assert getattr(key, "value", None) == value, question.source
    assert done > 700


def test_every_grade_has_both_subjects_in_all_three_types_with_explanations() -> None:
    types = defaultdict(set)
    for question in bank():
        types[question.grade, question.subject].add(question.type)
        assert question.explanation, question.source
    counts = starter_topics()

    assert set(types) == {(grade, subject) for grade in range(9) for subject in ("Mathematics", "English")}
    assert {len(found) for found in types.values()} == {3}
    assert all(
        sum(count for (g, s, _), count in counts.items() if (g, s) == (grade, "English")) >= 12 for grade in range(9)
    )
    few = {key for key, count in counts.items() if key[1] == "Mathematics" and count < 40}
    assert few == {(1, "Mathematics", "Time")}


@pytest.mark.parametrize("topic", [key for key in starter_topics() if key[1] == "Mathematics"])
def test_a_test_of_ten_questions_finds_ten_that_are_not_variants_of_each_other(topic: tuple[int, str, str]) -> None:
    families = {one.family for one in bank() if (one.grade, one.subject, one.topic) == topic}

    assert len(families) >= 10


def test_the_same_questions_are_made_every_time() -> None:
    assert list(starter_lines()) == list(starter_lines())


async def test_it_is_published_once(terminal: Terminal, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    some = list(starter_lines())[::40]
    monkeypatch.setattr("cli.starter_bank.starter_lines", lambda: iter(some))

    first = await terminal("questions", "starter")
    second = await terminal("questions", "starter")

    assert (first.stdout, second.stdout) == (f"{len(some)} published\n", "0 published\n")
    assert await count_published(store.pool, await store.reader.head()) == len(some)


async def test_its_topics_are_listed_without_publishing_anything(terminal: Terminal, store: Store) -> None:
    listed = await terminal("questions", "starter", "--list")

    assert re.search(r"^grade 4  Mathematics +Fractions +118$", listed.stdout, re.MULTILINE)
    assert await store.reader.head() == 0
