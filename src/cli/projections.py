"""`afterschool projections`: read models rebuilt beside the live ones, switched to when they are equal, and audited."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from typing import Annotated, TypeVar

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from adapters.cache import Cache
from adapters.memory import settle_memory
from adapters.migrations import MigrationsRefused
from adapters.settings import load_settings
from cli.exits import FAILED, UNREACHABLE, plain_errors
from cli.pool import open_pool
from cli.progress_bar import progress_bar
from domain.errors import LogBroken
from eventstore.connections import PROJECTOR
from projections.positions import read_generation_positions
from projections.projection import Projection
from projections.read_models import READ_MODELS
from workers.audit import SAMPLE, Audited
from workers.audit import audit as run_audit
from workers.generations import GenerationsRefused
from workers.rebuild import Rebuilt
from workers.rebuild import rebuild as run_rebuild
from workers.side_by_side import MOST
from workers.switch import Switched, drop_others
from workers.switch import rollback as run_rollback
from workers.switch import switch as run_switch

INTERRUPTED = 130

app = typer.Typer(
    name="projections",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Rebuild read models from the log without a pause for readers, and prove that they say what the log says.",
)

Answer = TypeVar("Answer")


def _known(name: str) -> str:
    if name not in _BY_NAME:
        raise typer.BadParameter(f"{name} is no read model. There are {', '.join(sorted(_BY_NAME))}.")
    return name


_BY_NAME: dict[str, Projection] = {projection.name: projection for projection in READ_MODELS}
Name = Annotated[str, typer.Argument(callback=_known, help="Name of the read model, as `status` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show every generation of every read model, and how far it has come.

    Readers see the live generation. A fed one is kept up to date beside it; one that is being filled is a rebuild that
    has not come to its end. Position and lag are those of the slowest part.

    Example: afterschool projections status --json
    """

    async def look() -> list[dict[str, object]]:
        async with open_pool(load_settings(), PROJECTOR, size=1) as pool:
            found = await read_generation_positions(pool, ["live", "fed", "filling"])
            return [asdict(position) for position in found]

    rows = _run(look)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("read model", "generation", "state", "position", "behind", "s behind", "parked"):
        table.add_column(heading, justify="left" if heading in {"read model", "state"} else "right")
    for row in rows:
        numbers = (f"{row['lag_events']:,}", f"{row['lag_seconds']:.1f}", f"{row['parked']:,}")
        table.add_row(str(row["name"]), str(row["generation"]), str(row["state"]), f"{row['position']:,}", *numbers)
    Console().print(table)


@app.command()
def rebuild(
    name: Annotated[str | None, typer.Argument(help="Name of the read model, as `status` shows it.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Rebuild every read model, one after the other.")] = False,
) -> None:
    """Fill a new generation of a read model from the log, beside the live one.

    Readers notice nothing, and projectors go on. When it ends, projectors feed both generations, and `switch` may
    follow. A rebuild that was stopped or killed goes on where it was when it is called again. A generation that an
    earlier rebuild made and that is not live is dropped first.

    Example: afterschool projections rebuild progress_summary
    """
    if (name is None) != every:
        raise typer.BadParameter("name one read model, or give --all.")
    for projection in READ_MODELS if name is None else [_BY_NAME[_known(name)]]:
        began = time.monotonic()
        try:
            first, last = _run(lambda projection=projection: _rebuild(projection))  # type: ignore[misc]
        except KeyboardInterrupt:
            typer.echo("Interrupted. Call it again, it goes on.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        events, seconds = last.reached - first.reached, time.monotonic() - began
        typer.echo(
            f"Generation {last.generation} of {projection.name} is filled up to position {last.goal:,} and fed from "
            f"there: {events:,} events in {seconds:.1f} s, {events / seconds:,.0f} a second."
        )


async def _rebuild(projection: Projection) -> tuple[Rebuilt, Rebuilt]:
    settle_memory()
    dsn = load_settings().database_url.get_secret_value()
    async with aclosing(run_rebuild(dsn, projection, processes=min(os.cpu_count() or 1, MOST))) as steps:
        first = last = await anext(steps)
        for number in first.dropped:
            typer.echo(f"Generation {number} of {projection.name}, which was not live, is dropped.", err=True)
        if first.resumed:
            typer.echo(f"Going on with generation {first.generation} of {projection.name}.", err=True)
        with progress_bar(f"Rebuilding {projection.name}", first.goal) as advance:
            async for last in steps:
                advance(last.reached)
    return first, last


@app.command()
def switch(
    name: Name,
    *,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="A fold was mended: rows may differ from the live ones.")
    ] = False,
) -> None:
    """Let readers see the newer generation, if it says the same as the live one.

    All rows of both are compared at one position; where they differ, nothing is switched, and parts and students are
    named. With --accept-differences some of those students are folded again from the log instead, and the newer
    generation must agree with that. No read fails meanwhile, and none goes back in time. The generation before stays
    fed, for `rollback`.

    Example: afterschool projections switch progress_summary
    """
    done = _with_cache(lambda dsn, cache: run_switch(dsn, _BY_NAME[name], cache, accept_differences=accept_differences))
    typer.echo(_in_words(name, done))
    if done.differences:
        typer.echo(f"It differs for {sum(part.differing for part in done.differences):,} of them, which was accepted.")


@app.command()
def rollback(name: Name) -> None:
    """Let readers see the generation before the live one again.

    It was fed all the time, so it is up to date; that its rows differ does not matter. The generation that was live
    stays fed, so that `switch` leads back to it.

    Example: afterschool projections rollback progress_summary
    """
    typer.echo(_in_words(name, _with_cache(lambda dsn, cache: run_rollback(dsn, _BY_NAME[name], cache))))


@app.command()
def drop(name: Name) -> None:
    """Remove every generation of a read model that is not live.

    Its tables go, and with them the way back by `rollback`; also what an unfinished rebuild has filled so far.

    Example: afterschool projections drop progress_summary
    """
    dropped = _with_cache(lambda dsn, _: drop_others(dsn, _BY_NAME[name]))
    for number in dropped:
        typer.echo(f"Generation {number} of {name} is dropped.")
    if not dropped:
        typer.echo(f"There is no generation of {name} but the live one.")


@app.command()
def audit(
    *,
    sample: Annotated[int, typer.Option(min=0, help="Students and questions whose history is folded again.")] = SAMPLE,
    seed: Annotated[int, typer.Option(help="Draws the same students for the same seed and log.")] = 0,
    as_json: Json = False,
) -> None:
    """Prove that the read models hold what the log says, or name every difference.

    For each generation and part, the events applied and parked are held against the events that the log has up to the
    cursor. Students and questions drawn at random are folded again from the beginning, and compared with their rows in
    Postgres and with the bytes in Redis. Ends with 1 when anything differs. Nothing is changed.

    Example: afterschool projections audit --sample 1000
    """

    async def look() -> Audited:
        settings = load_settings()
        cache = Cache(settings.redis_url.get_secret_value())
        try:
            async with open_pool(settings, PROJECTOR, size=2) as pool:
                return await run_audit(pool, cache, READ_MODELS, sample=sample, seed=seed)
        finally:
            await cache.close()

    found = _run(look)
    typer.echo(json.dumps(asdict(found), indent=2) if as_json else _proved(found))
    if found.differences:
        raise typer.Exit(FAILED)


def _proved(found: Audited) -> str:
    lines = [
        f"{one.projection}, generation {one.generation} ({one.state}): {one.applied:,} applied and "
        f"{one.parked:,} parked of {one.handled:,} in the log"
        for one in found.generations
    ]
    lines.append(
        f"{found.students:,} students and {found.questions:,} questions folded again, "
        f"{found.values:,} values in Redis compared with the rows"
    )
    lines += [f"DIFFERS  {difference}" for difference in found.differences] or ["Nothing differs."]
    return "\n".join(lines)


def _in_words(name: str, done: Switched) -> str:
    return f"Readers of {name} see generation {done.generation} now; generation {done.before} stays fed."


def _with_cache(act: Callable[[str, Cache], Awaitable[Answer]]) -> Answer:
    async def with_cache() -> Answer:
        settings = load_settings()
        cache = Cache(settings.redis_url.get_secret_value())
        try:
            return await act(settings.database_url.get_secret_value(), cache)
        finally:
            await cache.close()

    return _run(with_cache)


def _run(work: Callable[[], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        return await work()

    with _endings():
        return asyncio.run(run())


@contextmanager
def _endings() -> Iterator[None]:
    """Tell what an operator can mend in a sentence."""
    with plain_errors():
        try:
            yield
        except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError):
            raise MigrationsRefused("The database has no schema yet: afterschool migrate.") from None
        except (GenerationsRefused, LogBroken) as error:
            typer.echo(str(error) or error.__doc__, err=True)
            raise typer.Exit(FAILED) from None
        except (asyncpg.InterfaceError, TimeoutError):
            typer.echo("The database went away on the way; call this again.", err=True)
            raise typer.Exit(UNREACHABLE) from None
