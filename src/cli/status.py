"""`afterschool status`: is everything there, and does every reader keep up with the log."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.migrations import known_migrations
from adapters.settings import Settings, load_settings
from cli.exits import FAILED, plain_errors
from cli.reachability import PATIENCE, Reachability, reach_auth, reach_postgres, reach_rabbitmq, reach_valkey
from projections.positions import ReaderPosition, RelayPosition, read_head, read_positions, read_relay

if TYPE_CHECKING:
    from cli.queues import Queue

TOO_LATE = 10.0
"""Seconds behind the log from which a reader is a problem."""

TOO_LONG = 60.0
"""Seconds from which an open transaction is a problem, for it holds back what Postgres can clean up; an erasure too."""

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
    """The relay among them, where there is a broker."""
    queues: "list[Queue]"
    """Of the broker; none without one."""
    oldest_transaction: float | None
    """Seconds for which the oldest open transaction of this database has been open; None where that is not known."""
    unfinished_erasures: int
    """People who were erased in the log more than a minute ago and not everywhere yet."""

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
            if reader.parked:
                found.append(f"{reader.name} has {reader.parked:,} parked events: afterschool parked list")
            if isinstance(reader, RelayPosition) and not reader.leads:
                found.append("no relay leads")
        found += [f"the broker has no queue {queue.name}" for queue in self.queues if queue.consumers is None]
        found += [f"nobody reads the queue {queue.name}" for queue in self.queues if queue.consumers == 0]
        if (self.oldest_transaction or 0) > TOO_LONG:
            found.append(f"a transaction has been open for {self.oldest_transaction:.0f} s")
        if self.unfinished_erasures:
            found.append(f"erasures that nobody finishes: {self.unfinished_erasures:,}")
        return found


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")] = False
) -> None:
    """Show whether everything is up and how far each reader has come.

    Lists the machines (Postgres, Valkey, the auth service, RabbitMQ where there is one), the schema, the log's last
    position, and for each projection and the relay the position of the slowest part, the events it has not dealt with
    yet and the age of the oldest of them; and of each queue how much waits in it and how many read it. Ends with 0 when
    all is well, with 1 when something is away, a schema is not the code's, a reader is more than 10 s late, events are
    parked, no relay leads, nobody reads a queue, a transaction has been open for a minute, or somebody was erased in
    the log a minute ago and is not erased everywhere.

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
    machines, queues = [postgres, valkey, auth], list["Queue"]()
    if settings.rabbitmq_url:
        rabbitmq, queues = await reach_rabbitmq(settings)
        machines.append(rabbitmq)
    schema, head, readers, oldest, erasures = None, None, list[ReaderPosition](), None, 0
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
                readers += [await read_relay(connection)] if settings.rabbitmq_url else []
                erasures = await connection.fetchval(_UNFINISHED_ERASURES, TOO_LONG)
            oldest = await connection.fetchval(_OLDEST)
        finally:
            await connection.close()
    return Status(
        machines=machines,
        schema=schema,
        head=head,
        readers=readers,
        queues=queues,
        oldest_transaction=oldest,
        unfinished_erasures=erasures,
    )


_OLDEST = """
select extract(epoch from max(clock_timestamp() - xact_start))::float8 from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""

_UNFINISHED_ERASURES = """
select count(*) from events as e
where type = 'UserErased' and recorded_at < clock_timestamp() - make_interval(secs => $1)
    and not exists (select from erasures as d where d.person_id = e.subject and d.position = e.position)
"""


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
    states = [
        (one.name, escape(one.address), f"[green]up[/], {one.milliseconds} ms" if one.is_up else _away(one))
        for one in found.machines
    ]
    console.print(_table(("machine", "address", ""), states), "")
    if found.schema:
        console.print(f"schema   {found.schema.applied or 'empty'}\n")
    if found.head is not None:
        headings = "reader", "position", "events behind", "seconds behind", "parked"
        rows = [
            (one.name, f"{one.position:,}", f"{one.lag_events:,}", f"{one.lag_seconds:.1f}", f"{one.parked:,}")
            for one in found.readers
        ]
        console.print(_table(headings, [("log", f"{found.head:,}"), *rows], numbers=True), "")
    if found.queues:
        waiting = [(one.name, f"{one.messages:,}", str(one.consumers or "none")) for one in found.queues]
        console.print(_table(("queue", "messages", "readers"), waiting, numbers=True), "")
    for problem in found.problems:
        console.print(f"[red]{escape(problem)}[/]", soft_wrap=True)
    if not found.problems:
        console.print("[green]All is well.[/]")


def _away(machine: Reachability) -> str:
    return f"[red]away[/] ({machine.problem})"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> Table:
    first, *others = headings
    table = Table(first, box=None, padding=(0, 3, 0, 0))
    for heading in others:
        table.add_column(heading, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*row)
    return table
