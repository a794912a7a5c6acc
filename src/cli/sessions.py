"""`afterschool sessions`: who is signed in, and how an operator ends it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

import asyncpg
import typer

from adapters.sessions import OPERATOR, Sessions
from adapters.settings import load_settings
from cli.exits import FAILED, WRONG, plain_errors
from cli.pool import open_pool
from eventstore.connections import APP

app = typer.Typer(
    name="sessions",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look after sessions: show who is signed in, and end it for good.",
)

LISTED = 1000
"""Sessions that are shown at most, those seen last first."""

User = Annotated[UUID | None, typer.Option("--user", help="Id of the user: all their devices.")]
Number = Annotated[UUID | None, typer.Option("--session", help="Id of one session.")]
Answer = TypeVar("Answer")


@app.command(name="list")
def list_sessions(
    user: User = None,
    *,
    revoked: Annotated[bool, typer.Option("--revoked", help="Show those that are over, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Show who is signed in: session, user, when it opened, when it was last seen (to within five minutes).

    Shows the last thousand. A session that was signed out at Supabase itself stays here until its token ends.

    Example: afterschool sessions list --user 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11
    """
    rows = _run(lambda pool: _read(pool, user, with_revoked=revoked))
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], default=str, indent=2))
    elif not rows:
        typer.echo("Nobody is signed in." if user is None else "This user is not signed in.")
    for row in [] if as_json else rows:
        over = f"  over: {row['revoked_because']}" if row["revoked_because"] else ""
        typer.echo(f"{row['id']}  {row['user_id']}  {row['opened_at']:%F %R}  {row['seen_at']:%F %R}{over}")


@app.command()
def revoke(user: User = None, session: Number = None) -> None:
    """End one session, or all of a user: within five seconds its tokens are refused everywhere, for good.

    A session that nobody has seen yet ends as well when --user is given. Whoever it was signs in again with their
    password; change that first at Supabase if somebody else knows it. Ends with 1 if the session is over or is none.

    Example: afterschool sessions revoke --user 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11
    """
    if (user is None) == (session is None):
        typer.echo("Name either a user or a session.", err=True)
        raise typer.Exit(WRONG)
    ended = _run(lambda pool: _revoke(Sessions(pool), user, session))
    typer.echo(f"Ended {ended:,} session{'' if ended == 1 else 's'}.")
    if session is not None and not ended:
        raise typer.Exit(FAILED)


def _run(work: Callable[[asyncpg.Pool], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        async with open_pool(load_settings(), APP, size=1) as pool:
            return await work(pool)

    with plain_errors():
        return asyncio.run(run())
    raise AssertionError  # plain_errors leaves by an exit


async def _read(pool: asyncpg.Pool, user: UUID | None, *, with_revoked: bool) -> Sequence[asyncpg.Record]:
    return await pool.fetch(
        """
        select id, user_id, opened_at, seen_at, expires_at, revoked_at, revoked_because
        from sessions
        where ($1::uuid is null or user_id = $1) and ($2 or revoked_at is null and expires_at > now())
        order by seen_at desc limit $3
        """,
        user,
        with_revoked,
        LISTED,
    )


async def _revoke(sessions: Sessions, user: UUID | None, session: UUID | None) -> int:
    if user is not None:
        return len(await sessions.revoke_all(user, OPERATOR))
    assert session is not None  # noqa: S101  one of the two was named
    return len(await sessions.revoke(session, OPERATOR))
