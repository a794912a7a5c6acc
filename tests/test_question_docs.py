"""What docs/questions.md shows to authors works as it says."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from domain.banked_question import check_publishable
from domain.question import Grading
from domain.question_line import Labels, QuestionLine, read_line

TEXT = (Path(__file__).parents[1] / "docs" / "questions.md").read_text(encoding="utf-8")
SHOWN = [line for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
LINES = [line for line in SHOWN if '"id"' in line]
RULES = [line for line in SHOWN if '"id"' not in line]


@pytest.mark.parametrize("line", LINES)
def test_lines_can_be_published(line: str) -> None:
    check_publishable(read_line(line, Labels(4, "Mathematics", "Fractions")))


@pytest.mark.parametrize("rules", RULES)
def test_rules_can_be_published(rules: str) -> None:
    grading = TypeAdapter(Grading).dump_python(TypeAdapter(Grading).validate_json(rules), mode="json")
    line = {"id": "x", "type": "fill_in_blank", "question": "How many?", "grading": grading}

    check_publishable(read_line(json.dumps(line), Labels(4, "Mathematics", "Fractions")))


def test_every_field_has_its_line_and_no_line_tells_of_another() -> None:
    told = {name for names in re.findall(r"^\| ([a-z_, ]+) \|", TEXT, re.MULTILINE) for name in names.split(", ")}

    assert set(QuestionLine.model_fields) - told == {"option_roles"}


def test_every_defect_has_its_line() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (Path(__file__).parents[1] / "src").rglob("*.py")]
    named = {
        code
        for source in sources
        for code in re.findall(r'(?:Defect\(|_refused\(|return |yield )"([a-z_]+)"[,)]', source)
        if "domain.defects" in source or "Defect" in source or "Likeness" in source
    }

    told = {code for codes in re.findall(r"^\| ([a-z_, ]+) \|", TEXT, re.MULTILINE) for code in codes.split(", ")}
    assert named - told == set()
    assert {"repeated_stem", "relative_to_zero", "repeated_id", "no_json"} <= named
