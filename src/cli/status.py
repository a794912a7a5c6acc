"""`afterschool status`: is everything there, and does every reader keep up with the log."""

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.migrations import known_migrations
from adapters.settings import Settings, load_settings
from cli.exits import FAILED, plain_errors
from cli.reachability import PATIENCE, Reachability, reach_auth, reach_postgres, reach_valkey
from cli.reader_positions import ReaderPosition, read_head, read_positions

TOO_LATE = 10.0
"""Seconds behind the log from which a reader is a problem."""

app = typer.Typer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The newest migration in the database (empty without any), and the newest one this code knows."""

    applied: str
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What an operator looks at first."""

    machines: list[Reachability]
    schema: Schema | None
    head: int | None
    """Last position of the log; None where it cannot be read."""
    readers: list[ReaderPosition]

    @property
    def problems(self) -> list[str]:
        """Everything that is not as it should be, a sentence each."""
        found = [f"{machine.name} is away ({machine.problem})" for machine in self.machines if not machine.is_up]
        if self.schema and self.schema.applied != self.schema.newest:
            state = f"is at {self.schema.applied}" if self.schema.applied else "is empty"
            found.append(f"the schema {state}, this code's newest migration is {self.schema.newest}")
        for reader in self.readers:
            if reader.forked:
                found.append(f"{reader.name} disagrees with the log about the past and must be rebuilt")
            elif reader.lag_seconds > TOO_LATE:
                found.append(f"{reader.name} is {reader.lag_seconds:.1f} s behind the log")
        return found


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")] = False
) -> None:
    """Show whether everything is up and how far each reader has come.

    Lists the machines (Postgres, Valkey, the auth service), the schema, the log's last position, and for each
    projection the position of its slowest part, the events it has not folded yet and the age of the oldest of them.
    Ends with 0 when all is well, with 1 when something is away, a schema is not the code's, or a reader is more than
    10 s late.

    Example: afterschool status --json
    """
    with plain_errors():
        found = asyncio.run(read_status(load_settings()))
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        _show(found, Console())
    if found.problems:
        raise typer.Exit(FAILED)


async def read_status(settings: Settings) -> Status:
    """Ask every machine once, one after the other: asked together, each would wait for the others' handshakes."""
    postgres, valkey = await reach_postgres(settings), await reach_valkey(settings)
    auth = await reach_auth(settings)
    schema, head, readers = None, None, list[ReaderPosition]()
    if postgres.is_up:
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=PATIENCE,
            server_settings={"default_transaction_read_only": "on", "statement_timeout": "10000", "jit": "off"},
        )
        try:
            schema = await _read_schema(connection)
            with suppress(asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):  # the schema says it already
                head, readers = await read_head(connection), await read_positions(connection)
        finally:
            await connection.close()
    return Status(machines=[postgres, valkey, auth], schema=schema, head=head, readers=readers)


async def _read_schema(connection: asyncpg.Connection) -> Schema:
    newest = known_migrations()[-1].name
    if await connection.fetchval("select to_regclass('public.migrations') is null"):
        return Schema(applied="", newest=newest)
    applied = await connection.fetchval("select name from public.migrations order by number desc limit 1")
    return Schema(applied=applied or "", newest=newest)


def _as_json(found: Status) -> dict[str, object]:
    machines = [{**asdict(machine), "up": machine.is_up} for machine in found.machines]
    return {"well": not found.problems, "problems": found.problems, **asdict(found), "machines": machines}


def _show(found: Status, console: Console) -> None:
    machines = Table("machine", "address", "", box=None, padding=(0, 3, 0, 0))
    for machine in found.machines:
        state = f"[green]up[/], {machine.milliseconds} ms" if machine.is_up else f"[red]away[/] ({machine.problem})"
        machines.add_row(machine.name, escape(machine.address), state)
    console.print(machines, "")
    if found.schema:
        console.print(f"schema   {found.schema.applied or 'empty'}\n")
    if found.head is not None:
        readers = Table("reader", box=None, padding=(0, 3, 0, 0))
        for heading in ("position", "events behind", "seconds behind"):
            readers.add_column(heading, justify="right")
        readers.add_row("log", f"{found.head:,}")
        for reader in found.readers:
            readers.add_row(reader.name, f"{reader.position:,}", f"{reader.lag_events:,}", f"{reader.lag_seconds:.1f}")
        console.print(readers, "")
    for problem in found.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    if not found.problems:
        console.print("[green]All is well.[/]")
