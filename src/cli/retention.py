"""`afterschool retention`: the schedule of what is kept for how long, and what must go by it now."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from adapters.settings import load_settings
from adapters.wiring import open_backend
from cli.exits import plain_errors
from cli.pool import open_pool
from eventstore.connections import HOUSEKEEPER
from workers.retention import Due, find_due, let_go

app = typer.Typer()


@app.command()
def retention(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Let it go now; else nothing is changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
) -> None:
    """Show the schedule of retention, and how much must go by it now.

    Nothing is changed unless --apply says so; `afterschool housekeep` does it every day.

    Example: afterschool retention --json
    """
    with plain_errors():
        found = asyncio.run(_run(apply=apply))
    if as_json:
        typer.echo(orjson.dumps([_as_object(due) for due in found], option=orjson.OPT_INDENT_2).decode())
        return
    for due in found:
        typer.echo(f"{due.rule.days:>4} days  {due.rule.data}: {due.rule.action}")
        typer.echo(f"           {'gone' if apply else 'due'}: {len(due.people) or due.rows:,}")


async def _run(*, apply: bool) -> Sequence[Due]:
    settings, now = load_settings(), datetime.now(UTC)
    async with open_pool(settings, HOUSEKEEPER, size=1) as pool:
        found = await find_due(pool, now)
        if apply:
            async with open_backend(settings) as backend:
                for due in found:
                    await let_go(pool, backend.log, due, now)
    return found


def _as_object(due: Due) -> dict[str, object]:
    rule = due.rule
    people = [str(person_id) for person_id in due.people]
    return {
        "data": rule.data, "days": rule.days, "action": rule.action, "why": rule.why, "people": people, "rows": due.rows
    }  # fmt: skip
