"""`afterschool events`: the log, looked at as it grows, one event in full, or taken out whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import asyncpg
import typer

from adapters.log_lines import log_as_json
from adapters.settings import load_settings
from cli.event_lines import json_line, long_lines, short_line
from cli.exits import FAILED, let_go_of_stdout, plain_errors
from cli.export import WINDOW, Exported, ExportRefused, Selection, export_lines, open_output
from cli.pool import open_pool
from cli.progress_bar import progress_bar
from domain.errors import LogBroken
from eventstore.codec import event_types
from eventstore.connections import APP
from eventstore.reader import LogReader
from eventstore.record import COLUMNS, Record

LAST = 10
"""Events that `tail` begins with."""
INTERRUPTED = 130

app = typer.Typer(
    name="events",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at the event log, the one record of everything that happened. Personal fields stay sealed.",
)


class Format(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"


def _known_types(names: list[str]) -> list[str]:
    known = event_types()
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name} is no type of event. There are {', '.join(sorted(known))}.")
    return names


def _position_or_id(text: str) -> str:
    try:
        return str(int(text[:18]) if text.isdecimal() else UUID(text))
    except ValueError:
        raise typer.BadParameter("give a position, as 42, or the id of an event, which is a UUID.") from None


Types = Annotated[
    list[str], typer.Option("--type", callback=_known_types, help="Only this type of event; may be repeated.")
]
Subject = Annotated[UUID | None, typer.Option(help="Only events about this person.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@app.command()
def tail(
    *,
    after: Annotated[int | None, typer.Option(min=0, help="Begin behind this position; 0 is the beginning.")] = None,
    types: Types = [],  # noqa: B006  Typer never changes it
    subject: Subject = None,
    stream: Annotated[str | None, typer.Option(help="Only events of this stream, as user-<uuid>.")] = None,
    as_json: Json = False,
) -> None:
    """Show events as they are appended, until Ctrl-C.

    Begins ten events before the end of the log unless --after says where, and goes on by itself when the database
    comes back from a restart. Each line has the position, the time (UTC), the type, the stream with its version, and
    the clear fields.

    Example: afterschool events tail --type ProgressRecorded
    """

    def wanted(record: Record) -> bool:
        return (
            (not types or record.type in types)
            and (subject is None or record.subject == subject)
            and (stream is None or record.stream == stream)
        )

    async def follow() -> None:
        log_as_json()
        async with _open_log() as (_, reader):
            head = await reader.head()
            if after is not None and after > head:
                raise typer.BadParameter(f"the log ends at position {head}.", param_hint="--after")
            async for page in reader.follow(max(head - LAST, 0) if after is None else after):
                for record in filter(wanted, page):
                    typer.echo(json_line(record) if as_json else short_line(record), nl=not as_json)

    with _endings():
        try:
            asyncio.run(follow())
        except (KeyboardInterrupt, BrokenPipeError):
            let_go_of_stdout()


@app.command()
def show(
    event: Annotated[str, typer.Argument(callback=_position_or_id, metavar="POSITION|EVENT_ID")],
    *,
    as_json: Json = False,
) -> None:
    """Show one event with all its columns, and its leaf in the evidence tree.

    Sealed fields are shown as sealed, with the id of the key that seals them. Looking for an id reads the log
    backwards, for it has no index of ids: a position is found at once.

    Example: afterschool events show 42 --json
    """

    async def find() -> Record | None:
        async with _open_log() as (pool, reader):
            if not event.isdecimal():
                return await _find(pool, UUID(event), await reader.head())
            return next(iter(await reader.read(int(event) - 1, up_to=int(event))), None)

    with _endings():
        record = asyncio.run(find())
    if record is None:
        typer.echo(f"The log holds no event {event}.", err=True)
        raise typer.Exit(FAILED)
    typer.echo(json_line(record, with_leaf=True) if as_json else long_lines(record), nl=not as_json)


@app.command()
def export(
    *,
    form: Annotated[Format, typer.Option("--format", help="One JSON object a line.")] = Format.NDJSON,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this position.")] = 0,
    up_to: Annotated[
        int | None, typer.Option(min=0, help="End with this position; else where the log ends now.")
    ] = None,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="Write to this file, not to the screen.")] = None,
    types: Types = [],  # noqa: B006  Typer never changes it
    subject: Subject = None,
    with_sealed: Annotated[
        bool, typer.Option("--with-sealed", help="Add the sealed fields in base64, still sealed.")
    ] = False,
) -> None:
    """Write events out, one JSON object a line, for analysis elsewhere.

    Every line has all columns of the log; `data` is exactly the text the log keeps. Personal fields are never opened:
    without --with-sealed they are left out, and people are known by their ids only. An export of any length takes
    constant memory. One that was stopped is gone on with by --after and the position it names; with --output that
    adds to the file.

    Example: afterschool events export --type ProgressRecorded --output practice.ndjson
    """
    del form
    done = Exported(0, after)

    async def run() -> None:
        nonlocal done
        async with _open_log() as (_, reader):
            head = await reader.head()
            end = head if up_to is None else min(up_to, head)
            selection = Selection(after=after, up_to=end, types=types or None, subject=subject)
            with open_output(output, after) as lines, progress_bar("Exporting", end - after) as advance:
                async for done in export_lines(reader, selection, lines, with_sealed=with_sealed):
                    advance(done.reached - after)

    with _endings():
        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            typer.echo(f"Interrupted. {_summary(done)}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            let_go_of_stdout()
            raise typer.Exit(FAILED) from None
    typer.echo(_summary(done), err=True)


@asynccontextmanager
async def _open_log() -> AsyncIterator[tuple[asyncpg.Pool, LogReader]]:
    async with open_pool(load_settings(), APP, size=1) as pool:
        yield pool, LogReader(pool)


async def _find(pool: asyncpg.Pool, event_id: UUID, head: int) -> Record | None:
    """Look for an event by its id, newest first, a stretch of the log at a time."""
    with progress_bar("Looking", head) as advance:
        for end in range(head, 0, -WINDOW):
            row = await pool.fetchrow(
                f"select {COLUMNS} from events where position > $1 and position <= $2 and event_id = $3",  # noqa: S608  fixed words
                end - WINDOW,
                end,
                event_id,
            )
            if row is not None:
                return Record(*row)
            advance(head - end + WINDOW)
    return None


@contextmanager
def _endings() -> Iterator[None]:
    """Tell what an analyst can mend in a sentence."""
    with plain_errors():
        try:
            yield
        except (ExportRefused, LogBroken) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(FAILED) from None


def _summary(done: Exported) -> str:
    return f"{done.events:,} events, up to position {done.reached}; go on with --after {done.reached}."
