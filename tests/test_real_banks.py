"""Real banks: what careful people wrote is importable as a whole, and next to none of it is said to be doubtful."""

import json
from pathlib import Path

import pytest

from benchmarks.stream import SHARED_DATA
from cli.question_check import QuestionCheck, Report
from cli.question_files import numbered_lines

SVAMP, GSM8K, ARC, BOOLQ = "svamp.jsonl.gz", "gsm8k_train.jsonl.gz", "arc_easy.jsonl.gz", "boolq_train.jsonl.gz"
QUESTIONS = {SVAMP: 1000, GSM8K: 7473, ARC: 2236, BOOLQ: 9426}
REPETITIONS = {"duplicate", "repeated_stem", "near_duplicate"}


def checked(name: str) -> Report:
    file: Path = SHARED_DATA / name
    if not file.exists():
        pytest.skip(f"{name} is absent")
    check = QuestionCheck()
    for _ in check.of(numbered_lines(file)):
        pass
    return check.report()


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_line_can_be_published_and_at_most_one_in_a_thousand_is_doubtful(name: str) -> None:
    report = checked(name)

    found = {code: findings for code, findings in report.by_code.items() if code not in REPETITIONS}
    assert report.lines == QUESTIONS[name]
    assert not any(findings[0].is_refused for findings in found.values())
    assert sum(map(len, found.values())) <= QUESTIONS[name] / 1000


def test_repeated_stems_are_named_with_what_they_repeat() -> None:
    report = checked(ARC)

    named = [(finding.line, finding.like) for finding in report.by_code["repeated_stem"]]
    lines = [json.loads(line) for _, line in numbered_lines(SHARED_DATA / ARC)]
    assert len(named) == 5
    assert all(like and lines[line - 1]["question"] == lines[like - 1]["question"] for line, like in named)


def test_variations_on_one_another_are_named_and_other_questions_are_not() -> None:
    assert len(checked(SVAMP).by_code["near_duplicate"]) > 100
    assert len(checked(GSM8K).by_code["near_duplicate"]) < 10
