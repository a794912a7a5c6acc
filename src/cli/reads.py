"""`afterschool reads`: who read whose data, and whether what was recorded of it is still the same."""

import asyncio
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import orjson
import typer

from adapters.reads import PAGE, read_back
from adapters.settings import load_settings
from cli.exits import FAILED, WRONG, let_go_of_stdout, plain_errors
from cli.pool import open_pool
from domain.reads import Read
from eventstore.connections import APP
from workers.verify_reads import Verified
from workers.verify_reads import verify_reads as look_at_all

app = typer.Typer(
    name="reads",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at the read ledger: who but the child read a child's data.",
)


@app.command(name="list")
def list_reads(
    by: Annotated[UUID | None, typer.Option("--by", help="Id of who read.")] = None,
    of: Annotated[UUID | None, typer.Option("--of", help="Id of the child whose data was read.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program, one object a line.")] = False,
) -> None:
    """Show whose data somebody read, or who read somebody's data, the last first.

    Each line has the time (UTC), who read and in what role, the operation, whose data, and what allowed it. What API
    processes noted within the last second may be missing.

    Example: afterschool reads list --by 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11
    """
    if by is None and of is None:
        typer.echo("Name who read, or whose data was read.", err=True)
        raise typer.Exit(WRONG)

    async def run() -> None:
        before, is_last = None, False
        async with open_pool(load_settings(), APP, size=1) as pool:
            while not is_last:
                page = await read_back(pool, of=of, by=by, before=before, limit=PAGE)
                typer.echo(b"".join(_lines(page, as_json=as_json)), nl=False)
                before, is_last = page[-1].id if page else None, len(page) < PAGE

    with plain_errors():
        try:
            asyncio.run(run())
        except BrokenPipeError:
            let_go_of_stdout()


@app.command()
def verify() -> None:
    """Hash the read ledger again and hold it against the hashes that the log has of it.

    Names every stretch of it in which a row was changed, removed or inserted since it was hashed, and ends with 1 if
    there is any. Rows that were not hashed yet, those of the last hour, are only counted.

    Example: afterschool reads verify
    """

    async def run() -> Verified:
        async with open_pool(load_settings(), APP, size=1) as pool:
            return await look_at_all(pool)

    with plain_errors():
        found = asyncio.run(run())
    for difference in found.differences:
        typer.echo(difference, err=True)
    typer.echo(f"{found.reads:,} reads hashed, {found.unhashed:,} not hashed yet.")
    if found.differences:
        raise typer.Exit(FAILED)


def _lines(reads: Iterable[Read], *, as_json: bool) -> Iterable[bytes]:
    for read in reads:
        if as_json:
            yield orjson.dumps(read._asdict(), default=str, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
        else:
            who = f"{read.at:%F %T}  {read.actor}  {read.role}  {read.what}"
            yield f"{who}  {read.student}  {read.why}\n".encode()
