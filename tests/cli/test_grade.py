"""Grade: an answer is graded where nothing runs, and told step by step."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.command_line import command_line
from domain.question import NumberBlank, Question, TextBlank
from tests.domain.questions import blank, choice, number

HALF = number("1/2", forms=("proper",))


def grade(question: Question | str, *arguments: str) -> Result:
    asked = question if isinstance(question, str) else question.model_dump_json()
    return CliRunner().invoke(
        command_line(["grade"]), ["grade", "--question", asked, *arguments], catch_exceptions=False
    )


def lines_of(shown: Result) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in shown.stdout.splitlines())}


def test_the_verdict_is_shown_with_its_points_its_reading_and_its_rule() -> None:
    shown = grade(HALF, "--answer", " 2 / 4 ")

    assert shown.exit_code == 0
    assert lines_of(shown) == {"verdict": "correct", "rule": "N5", "points": "1", "read_as": "2/4", "grader": "1"}


def test_a_question_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "question.json"
    file.write_text(HALF.model_dump_json(), encoding="utf-8")

    assert lines_of(grade(str(file), "--answer", "0.5"))["code"] == "wrong_form"


def test_a_line_of_a_question_file_is_a_question() -> None:
    line = {"id": "q1", "type": "fill_in_blank", "question": "What is 3 divided by 4?", "correct_answer": "3/4"}

    assert lines_of(grade(json.dumps(line), "--answer", ".75"))["verdict"] == "correct"


def test_the_locale_decides_how_a_number_is_read() -> None:
    assert lines_of(grade(number("1000"), "--answer", "1.000", "--locale", "de"))["verdict"] == "correct"
    assert lines_of(grade(number("1000"), "--answer", "1.000"))["verdict"] == "incorrect"


def test_the_steps_are_shown_before_the_verdict() -> None:
    shown = grade(HALF, "--answer", "\u00bd", "--explain")

    steps = [line.split("  ")[0] for line in shown.stdout.splitlines()]
    assert steps[:6] == ["typed", "locale", "plain notation", "grammar", "key", "judged"]
    assert steps[6] == "verdict"


def test_json_has_the_steps_and_the_mark_of_every_blank() -> None:
    question = blank(NumberBlank(accepted=("4",)), TextBlank(accepted=("even",)), credit="proportional")

    shown = json.loads(grade(question, "--answer", "4", "--answer", "odd", "--explain", "--json").stdout)

    assert (shown["verdict"], shown["points"]) == ("correct", "1/2")
    assert [one["verdict"] for one in shown["blanks"]] == ["correct", "incorrect"]
    assert {"does": "blank", "finds": "2 of 2"} in shown["steps"]


def test_several_choices_are_several_answers() -> None:
    shown = grade(choice("a", "c", several=True), "--answer", "a", "--answer", "blue")

    assert lines_of(shown)["verdict"] == "correct"


def test_what_would_steer_the_terminal_is_only_shown() -> None:
    shown = grade(blank(TextBlank(accepted=("x",))), "--answer", "\u202e\x1b[31m\u0301", "--explain")

    assert shown.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{", "The line is no JSON object."),
        ('{"id": "1", "type": "true_false"}', "question: Field required"),
        ('{"stem": "How many?"}', "grade: Field required"),
        ("no/such/file", "no/such/file cannot be read: No such file"),
    ],
)
def test_what_is_no_question_is_said_in_words(given: str, says: str) -> None:
    shown = grade(given, "--answer", "1")

    assert shown.exit_code == 2
    assert says in shown.stderr


def test_an_invalid_question_is_not_repeated() -> None:
    assert "secret" not in grade('{"id": "secret"}', "--answer", "1").stderr
