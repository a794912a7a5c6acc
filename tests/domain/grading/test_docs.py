"""Docs: docs/grading.md says what grading does: its examples, its rules, its codes, and no others."""

import re
from pathlib import Path
from typing import get_args

import pytest

import domain.grading
from domain import defects
from domain.defects import defects_of
from domain.grading.mark import mark
from domain.grading.marks import Code
from domain.question_line import read_line
from tests.domain.questions import number

PAGE = (Path(__file__).parents[3] / "docs" / "grading.md").read_text(encoding="utf-8")
SOURCES = Path(str(domain.grading.__file__)).parent.glob("*.py")
EXAMPLES = re.findall(r"^\| `(.+?)` \| `(.+?)` \| (\S+) \| (correct|incorrect|asked again) \|$", PAGE, re.MULTILINE)
EXPECTED = (
    [f"N{n}" for n in range(1, 12)] + [f"{x}{n}" for x in "TM" for n in range(1, 8)] + [f"Q{n}" for n in range(1, 23)]
)


@pytest.mark.parametrize(("key", "typed", "locale", "verdict"), EXAMPLES)
def test_every_example_is_true(key: str, typed: str, locale: str, verdict: str) -> None:
    assert mark(number(key), typed, locale).verdict == verdict.replace("asked again", "ask_again")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 15


def test_the_example_of_a_question_is_sound() -> None:
    [shown] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    question = read_line(shown)

    assert defects_of(question) == []
    assert question.accept
    assert question.reject


def test_every_rule_has_its_line() -> None:
    assert re.findall(r"^\| ([NTMQ]\d+) \|", PAGE, re.MULTILINE) == EXPECTED


def test_every_rule_that_a_mark_names_is_one_of_them() -> None:
    named = {rule for source in SOURCES for rule in re.findall(r'"([A-Z]\d+)"', source.read_text(encoding="utf-8"))}

    assert named <= set(EXPECTED)
    assert {"N5", "T1", "M1", "Q7"} <= named


def test_every_code_has_its_line() -> None:
    section = PAGE.partition("### Why an answer is asked again")[2].partition("###")[0]

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(get_args(Code))


def test_every_defect_is_told() -> None:
    section = PAGE.partition("### What keeps a question")[2].partition("\n## ")[0]
    source = Path(str(defects.__file__)).read_text(encoding="utf-8")
    found = set(re.findall(r'(?:Defect\(|yield |return )"(\w+)", "', source)) | set(
        re.findall(r'Defect\(\s*"(\w+)"', source)
    )

    assert set(re.findall(r"`(\w+)`", section)) == found
