"""`afterschool parked`: events that could not be folded into a read model, and what to do about them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import asyncpg
import typer

from adapters.cache import Cache
from adapters.settings import Settings, load_settings
from cli.exits import FAILED, UNREACHABLE, plain_errors
from cli.pool import open_pool
from eventstore.connections import PROJECTOR
from projections.cache import CacheAway
from projections.read_models import READ_MODELS
from workers import parking

app = typer.Typer(
    name="parked",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look after events that could not be folded: they wait, with all later ones of their student, for a decision.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Student = Annotated[UUID, typer.Argument(help="Id of the student.")]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """What is parked of one student in one projection."""

    student_id: UUID
    projection: str
    generation: int
    position: int
    """Of the event that could not be folded."""
    type: str
    error: str
    events: int
    """That one and those behind it."""
    tries: int
    since: datetime


@app.command(name="list")
def list_parked(*, as_json: Json = False) -> None:
    """Show whose events are parked, since when, and why.

    Names, for each student and projection, the event that could not be folded, by position and type, the kind of
    error, and how many events wait. Ends with 0 when nothing is parked, with 1 otherwise.

    Example: afterschool parked list --json
    """
    parked = _run(_read_parked)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in parked], default=str, indent=2))
    elif not parked:
        typer.echo("Nothing is parked.")
    else:
        typer.echo("\n".join(_in_words(one) for one in parked))
    if parked:
        raise typer.Exit(FAILED)


@app.command()
def show(student_id: Student, *, as_json: Json = False) -> None:
    """Show every parked event of one student; `afterschool events show POSITION` shows an event in full.

    The first of each projection bears the error; the others wait behind it. Discarded ones are shown too.

    Example: afterschool parked show 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11
    """
    rows = _run(lambda connection, _: _read_events(connection, student_id))
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], default=str, indent=2))
        return
    if not rows:
        typer.echo("Nothing of this student is parked.")
        return
    for row in rows:
        state = "discarded" if row["discarded_at"] else row["error"] or "waits"
        typer.echo(f"{row['position']:>9}  {row['type']}  {row['projection']}  {state}")


@app.command()
def retry(
    student_id: Annotated[UUID | None, typer.Argument(help="Id of the student; without it, everybody.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Fold parked events again, after what hindered them was mended.

    Folds each student's parked events in order, as far as they go; what still cannot be folded stays parked. Safe
    while projectors run. Ends with 1 when something stays parked.

    Example: afterschool parked retry
    """
    retried = _run(lambda connection, settings: _retry(connection, settings, student_id))
    still = f"{retried.still_parked:,} stay parked" if retried.still_parked else "nothing stays parked"
    typer.echo(
        json.dumps({"applied": retried.applied, "still_parked": retried.still_parked})
        if as_json
        else f"Folded {retried.applied:,} events; {still}."
    )
    if retried.still_parked:
        raise typer.Exit(FAILED)


@app.command()
def discard(
    student_id: Student,
    position: Annotated[int, typer.Argument(min=1, help="Position of the event to leave out.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Leave one parked event out of the read models for good, and fold what waits behind it.

    The log keeps the event, and the row stays as evidence that it was left out. A rebuild tries it again.

    Example: afterschool parked discard 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11 1042
    """
    rows = _run(lambda connection, _: _read_events(connection, student_id))
    if not any(row["position"] == position and row["discarded_at"] is None for row in rows):
        typer.echo("This event of this student is not parked.", err=True)
        raise typer.Exit(FAILED)
    if not yes:
        typer.confirm(f"Leave the event at {position} out of this student's read models?", abort=True)
    given_up, retried = _run(lambda connection, settings: _discard(connection, settings, student_id, position))
    if not given_up:
        typer.echo("This event of this student is not parked.", err=True)
        raise typer.Exit(FAILED)
    typer.echo(
        f"Left out of {given_up} read models; folded {retried.applied:,} events behind it, "
        f"{retried.still_parked:,} stay parked."
    )


def _in_words(one: Parked) -> str:
    generation = f" (generation {one.generation})" if one.generation > 1 else ""
    waiting = f", and {one.events - 1:,} behind it" if one.events > 1 else ""
    return (
        f"{one.student_id}  {one.projection}{generation}: {one.type} at {one.position}{waiting}: {one.error}, "
        f"tried {one.tries} times, parked {one.since:%Y-%m-%d %H:%M:%S} UTC"
    )


def _run(work: Callable[[asyncpg.pool.PoolConnectionProxy, Settings], Awaitable[Answer]]) -> Answer:
    async def run(settings: Settings) -> Answer:
        async with open_pool(settings, PROJECTOR, size=2) as pool, pool.acquire() as connection:
            return await work(connection, settings)

    with plain_errors():
        return asyncio.run(run(load_settings()))
    raise AssertionError  # plain_errors leaves by an exit


async def _read_parked(connection: asyncpg.pool.PoolConnectionProxy, _: Settings) -> list[Parked]:
    rows = await connection.fetch(
        """
        select
            student_id, projection, generation, first.position, events.type, first.error, waiting.events,
            first.tries, first.parked_at as since
        from (
            select projection, generation, student_id, min(position) as position, count(*) as events
            from read.parked_events where discarded_at is null group by projection, generation, student_id
        ) as waiting
        join read.parked_events as first using (projection, generation, student_id, position)
        join events on events.position = first.position
        order by first.position, projection, generation
        """
    )
    return [Parked(**row) for row in rows]


async def _read_events(connection: asyncpg.pool.PoolConnectionProxy, student_id: UUID) -> Sequence[asyncpg.Record]:
    return await connection.fetch(
        """
        select projection, generation, position, type, recorded_at, error, tries, parked_at, discarded_at
        from read.parked_events join events using (position)
        where student_id = $1 order by projection, generation, position
        """,
        student_id,
    )


async def _retry(
    connection: asyncpg.pool.PoolConnectionProxy, settings: Settings, student_id: UUID | None
) -> parking.Retried:
    students = [student_id] if student_id else {one.student_id for one in await _read_parked(connection, settings)}
    applied = still = last = 0
    for student in students:
        retried = await parking.retry(connection, {one.name: one for one in READ_MODELS}, student)
        applied, still, last = applied + retried.applied, still + retried.still_parked, max(last, retried.position)
        if retried.position:
            await _forget_cached(settings, student, retried.position)
    return parking.Retried(applied, still, last)


async def _discard(
    connection: asyncpg.pool.PoolConnectionProxy, settings: Settings, student_id: UUID, position: int
) -> tuple[int, parking.Retried]:
    given_up = await parking.discard(connection, student_id, position)
    return given_up, await _retry(connection, settings, student_id)


async def _forget_cached(settings: Settings, student_id: UUID, position: int) -> None:
    """Have Redis forget what it holds of a student from before a position."""
    keys = filter(None, (projection.cache_key(student_id) for projection in READ_MODELS))
    cache = Cache(settings.redis_url.get_secret_value())
    try:
        await cache.invalidate(dict.fromkeys(keys, position))
    except CacheAway:
        typer.echo(
            "Redis is away; when it is back, restart a projector, so that it forgets what it holds of this student.",
            err=True,
        )
        raise typer.Exit(UNREACHABLE) from None
    finally:
        await cache.close()
