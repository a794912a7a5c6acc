"""`afterschool questions`: the question bank, filled from files, and written to one."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from adapters.settings import load_settings
from adapters.wiring import open_backend
from cli.exits import FAILED, UNREACHABLE, let_go_of_stdout, plain_errors
from cli.pool import open_pool
from cli.progress_bar import progress_bar
from cli.question_check import QuestionCheck, Report
from cli.question_files import FileUnreadable, count_lines, numbered_lines
from cli.question_import import QuestionImport
from cli.starter_bank import import_starter, starter_topics
from domain.errors import Unavailable
from domain.question_line import Labels, write_line
from eventstore.connections import APP
from eventstore.reader import LogReader
from projections.published_questions import count_published, published_pages

SHOWN = 20
"""Lines that are told of each defect; `--json` tells all."""

app = typer.Typer(
    name="questions",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Fill the question bank from files, look files through before, and write the bank to one.",
)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A question a line, as JSON; may be gzipped.")]


@app.command(name="import")
def import_questions(
    file: File,
    *,
    grade: Annotated[int | None, typer.Option(min=0, max=8, help="Grade of lines that have none.")] = None,
    subject: Annotated[str | None, typer.Option(help="Subject of lines that have none.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic of lines that have none.")] = None,
    override: Annotated[bool, typer.Option("--override", help="These hold whatever the lines say.")] = False,
) -> None:
    """Publish the questions in a file.

    Each line is a question in the API's shape; docs/questions.md shows what else it may say. A line that cannot be
    published is reported by its number on stderr, and the others are published all the same; ends with 1 if there was
    any. Called again, it goes on where it was stopped: what the bank has already is left alone, and what has changed
    is published as the next version of its question.

    Example: afterschool questions import fractions.jsonl --grade 4 --subject Mathematics --topic Fractions
    """
    labels = Labels(grade, subject, topic, override)

    async def run() -> Counter[str]:
        total = Counter[str]()
        with progress_bar("Importing", count_lines(file)) as advance:
            async with open_backend(load_settings()) as backend:
                async for done in QuestionImport(backend.log, backend.pool, labels).of(numbered_lines(file)):
                    for bad in done.bad:
                        for code, says, _ in bad.reasons:
                            typer.echo(f"line {bad.number}: {code}: {says}", err=True)
                    total.update(lines=done.lines, new=done.published, next=done.changed, bad=len(done.bad))
                    advance(total["lines"])
        return total

    with plain_errors(), _whole_files():
        try:
            done = asyncio.run(run())
        except Unavailable as error:
            typer.echo(error.message, err=True)
            raise typer.Exit(UNREACHABLE) from None
    typer.echo(
        f"{done['new']:,} published, {done['next']:,} of them as a next version; "
        f"{done['lines'] - done['new'] - done['bad']:,} unchanged; {done['bad']:,} bad."
    )
    if done["bad"]:
        raise typer.Exit(FAILED)


@app.command()
def starter(
    *,
    as_list: Annotated[
        bool, typer.Option("--list", help="Show its grades, subjects and topics; publish nothing.")
    ] = False,
) -> None:
    """Publish the starter bank: mathematics and English, kindergarten to grade 8.

    A system on one machine has it from its first start. Called again, it adds what the bank lacks.

    Example: afterschool questions starter --list
    """
    if as_list:
        for (grade, subject, topic), count in sorted(starter_topics().items()):
            typer.echo(f"grade {grade}  {subject:<12}  {topic:<20}  {count:>4}")
        return

    async def run() -> int:
        async with open_backend(load_settings()) as backend:
            return await import_starter(backend.log, backend.pool)

    with plain_errors():
        try:
            published = asyncio.run(run())
        except Unavailable as error:
            typer.echo(error.message, err=True)
            raise typer.Exit(UNREACHABLE) from None
    typer.echo(f"{published:,} published")


@app.command()
def check(
    file: File,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Look a file through for defects, and publish nothing.

    Says of each kind of defect which lines have it: those that `import` would refuse first, then what is doubtful,
    such as keys that the question gives away and questions that repeat one before them. docs/questions.md tells of
    each. Ends with 1 if there is any.

    Example: afterschool questions check fractions.jsonl --json
    """
    checking = QuestionCheck()
    with plain_errors(), _whole_files():
        with progress_bar("Checking", count_lines(file)) as advance:
            for done in checking.of(numbered_lines(file)):
                advance(done)
        report = checking.report()
    typer.echo(_as_json(report) if as_json else _in_words(report))
    if report.by_code:
        raise typer.Exit(FAILED)


def _as_json(report: Report) -> str:
    return json.dumps(
        {
            "lines": report.lines,
            "defects": {
                code: {
                    "count": len(findings),
                    "refused": findings[0].is_refused,
                    "lines": [finding.line for finding in findings],
                    **({"like": [finding.like for finding in findings]} if findings[0].like else {}),
                }
                for code, findings in report.by_code.items()
            },
        }
    )


def _in_words(report: Report) -> str:
    told = [f"{report.lines:,} lines."]
    for code, findings in report.by_code.items():
        shown = [f"{one.line} (as {one.like})" if one.like else str(one.line) for one in findings[:SHOWN]]
        rest = f" and {len(findings) - SHOWN:,} more" if len(findings) > SHOWN else ""
        kind = "refused" if findings[0].is_refused else "doubtful"
        told.append(f"{code}, {kind}: {len(findings):,}: line {', '.join(shown)}{rest}")
    return "\n".join(told)


@app.command()
def export(
    *,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="File to write; without it, stdout.")] = None,
) -> None:
    """Write the latest version of every question, as JSON lines that `import` reads back.

    The bank is written as it is when the command begins, in constant memory. A file appears under its name only when
    it is complete.

    Example: afterschool questions export --output bank.jsonl
    """

    async def run() -> int:
        async with open_pool(load_settings(), APP, size=1) as pool:
            head, written = await LogReader(pool).head(), 0
            with progress_bar("Writing", await count_published(pool, head)) as advance, _output(output) as out:
                async for page in published_pages(pool, head):
                    out.write("".join(f"{write_line(question)}\n" for question in page).encode())
                    written += len(page)
                    advance(written)
                out.flush()
        return written

    with plain_errors():
        try:
            written = asyncio.run(run())
        except BrokenPipeError:
            let_go_of_stdout()
            return
    typer.echo(f"{written:,} questions.", err=True)


@contextmanager
def _whole_files() -> Iterator[None]:
    """Say which file is cut off or damaged."""
    try:
        yield
    except FileUnreadable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None


@contextmanager
def _output(file: Path | None) -> Iterator[BinaryIO]:
    if file is None:
        yield typer.get_binary_stream("stdout")
        return
    unfinished = file.with_name(f"{file.name}.part")
    with unfinished.open("wb") as output:
        yield output
    os.replace(unfinished, file)  # noqa: PTH105  as atomic as it gets
