"""`afterschool grade`: what an answer to a question is worth, and why; nothing is recorded and nothing need run."""

import re
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import ValidationError

from cli.event_lines import printable
from cli.exits import WRONG
from domain.errors import QuestionRefused
from domain.grading.explain import explain
from domain.grading.mark import mark
from domain.grading.marks import Mark
from domain.question import Question
from domain.question_line import Labels, read_line, reasons_of

_STEM = re.compile(r'"stem"\s*:')
_ANYWHERE = Labels(grade=0, subject="any", topic="any")
"""What a line that is only tried out need not say."""

app = typer.Typer()


@app.command()
def grade(
    question: Annotated[str, typer.Option(help="A file that holds a question as JSON, or that JSON itself.")],
    answer: Annotated[
        list[str], typer.Option(help="What was typed or chosen; repeated for several blanks or choices.")
    ],
    locale: Annotated[str, typer.Option(help="The learner's BCP 47 tag, as de or en-IN.")] = "en",
    *,
    steps: Annotated[bool, typer.Option("--explain", help="Show step by step how the answer was read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Grade an answer to a question, by the rules of docs/grading.md.

    Shows the verdict, the points as an exact part of one, how the answer was read, and the rule that decided. The
    question is a line of a question file, as `afterschool questions import` takes it, or as an event holds it.

    Example: afterschool grade --question question.json --answer "1 1/2" --explain
    """
    asked = _question(question)
    given = answer[0] if len(answer) == 1 else tuple(answer)
    marked = mark(asked, given, locale)
    found = explain(asked, given, locale) if steps else []
    if as_json:
        shown = _as_object(marked)
        if steps:
            shown["steps"] = [step._asdict() for step in found]
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    for does, finds in found:
        typer.echo(printable(f"{does:<16}  {finds}"))
    for name, value in _as_object(marked).items():
        if value not in (None, "", []):
            typer.echo(printable(f"{name:<16}  {value}"))


def _as_object(marked: Mark) -> dict[str, object]:
    shown = {name: value for name, value in marked._asdict().items() if value != () and name != "blanks"}
    if marked.blanks:
        shown["blanks"] = [_as_object(one) for one in marked.blanks]
    return shown


def _question(given: str) -> Question:
    """Read a line of a question file, or a question as its event holds it."""
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        return Question.model_validate_json(text) if _STEM.search(text) else read_line(text, _ANYWHERE)
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{given} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}.", err=True)
    except QuestionRefused as error:
        for reason in reasons_of(error):
            typer.echo(f"This is not a question: {reason.says}", err=True)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            typer.echo(f"This is not a question: {'.'.join(map(str, one['loc'])) or 'JSON'}: {one['msg']}", err=True)
    raise typer.Exit(WRONG)
