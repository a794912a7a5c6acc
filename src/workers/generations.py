"""Generations: a read model's tables side by side, one live, another filled from the log or fed with it.

An operator makes, switches and drops them, one read model at a time; projectors only look at their states.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import asyncpg

from eventstore.record import PARTS
from projections.projection import Connection, Projection

State = Literal["filling", "fed", "live"]
CHANGING = 7003
"""First half of the advisory lock of whoever changes a read model's generations; the other is a hash of its name."""
PATIENCE = 3.0
"""Seconds to wait for another change to end; as long as a killed one's last statement may take."""


class GenerationsRefused(Exception):
    """The generations cannot be changed like that; the message says why, and nothing was changed."""


class Cursor(NamedTuple):
    """How far a generation has folded a part, and how many events of it are parked."""

    position: int
    parked: int


Cursors = dict[int, Cursor]
"""By part."""


@asynccontextmanager
async def changing(dsn: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection of the schema's owner as the only one that changes this read model's generations.

    Raises `GenerationsRefused` while another one does.
    """
    connection = await connect(dsn)
    try:
        await connection.execute(f"set lock_timeout = '{PATIENCE:g}s'")
        try:
            await connection.execute("select pg_advisory_lock($1, hashtext($2))", CHANGING, name)
        except asyncpg.LockNotAvailableError:
            raise GenerationsRefused(f"Another rebuild, switch or drop of {name} is at work.") from None
        yield connection
    finally:
        await connection.close(timeout=2)


async def connect(dsn: str) -> asyncpg.Connection:
    """Open a connection of the schema's owner that gives a statement five minutes."""
    return await asyncpg.connect(
        dsn,
        timeout=2,
        command_timeout=300,
        server_settings={"application_name": "afterschool-projections", "lock_timeout": "5s", "jit": "off"},
    )


async def read_generations(connection: Connection, name: str) -> dict[int, State]:
    """Return the states of a read model's generations, the oldest first."""
    rows = await connection.fetch(
        "select generation, state from read.generations where projection = $1 order by generation", name
    )
    return {row["generation"]: row["state"] for row in rows}


def live_of(generations: Mapping[int, State]) -> int:
    """Return the generation that readers see."""
    return next(number for number, state in generations.items() if state == "live")


async def make(connection: Connection, projection: Projection) -> int:
    """Make the tables and cursors of a new generation, alike the live one's, and return its number."""
    generations = await read_generations(connection, projection.name)
    live, new = live_of(generations), max(generations) + 1
    async with connection.transaction():
        for table in projection.tables:
            await _make_alike(connection, f"{table}_g{live}", f"{table}_g{new}")
        await connection.execute(
            "insert into read.generations (projection, generation, state) values ($1, $2, 'filling')",
            projection.name,
            new,
        )
        await connection.execute(
            "insert into read.cursors (projection, generation, part) select $1, $2, generate_series(0, $3 - 1)",
            projection.name,
            new,
            PARTS,
        )
    return new


async def drop(connection: Connection, projection: Projection, generation: int) -> None:
    """Remove a generation that is not live, with everything that belongs to it.

    Raises `GenerationsRefused` while somebody reads its tables, as an audit does or a dump.
    """
    try:
        await _drop(connection, projection, generation)
    except asyncpg.LockNotAvailableError:
        raise GenerationsRefused(
            f"Somebody reads generation {generation} of {projection.name}; try again later."
        ) from None


async def _drop(connection: Connection, projection: Projection, generation: int) -> None:
    async with connection.transaction():
        await lock_cursors(connection, projection.name, [generation])  # no projector writes its tables from here on
        for statement in (
            "delete from read.generations where projection = $1 and generation = $2 and state <> 'live'",
            "delete from read.parked_events where projection = $1 and generation = $2",
            "delete from read.cursors where projection = $1 and generation = $2",
        ):
            await connection.execute(statement, projection.name, generation)
        for table in projection.tables:
            await connection.execute(f"drop table read.{table}_g{generation}")


async def lock_cursors(connection: Connection, name: str, generations: Sequence[int]) -> dict[int, Cursors]:
    """Keep projectors off these generations, in the order in which they lock, and return how far each has come."""
    rows = await connection.fetch(
        """
        select generation, part, position, parked from read.cursors
        where projection = $1 and generation = any($2) order by part, generation for update
        """,
        name,
        generations,
    )
    return _by_generation(rows, generations)


async def read_cursors(connection: Connection, name: str, generations: Sequence[int]) -> dict[int, Cursors]:
    """Return how far each of these generations has come."""
    rows = await connection.fetch(
        "select generation, part, position, parked from read.cursors where projection = $1 and generation = any($2)",
        name,
        generations,
    )
    return _by_generation(rows, generations)


def _by_generation(rows: Sequence[asyncpg.Record], generations: Sequence[int]) -> dict[int, Cursors]:
    found: dict[int, Cursors] = {generation: {} for generation in generations}
    for generation, part, *cursor in rows:
        found[generation][part] = Cursor(*cursor)
    return found


async def _make_alike(connection: Connection, old: str, new: str) -> None:
    """Make a table with the columns, keys, storage options, policies and grants of another."""
    options = await connection.fetchval("select reloptions from pg_class where oid = $1::regclass", f"read.{old}")
    storage = f" with ({', '.join(options)})" if options else ""
    await connection.execute(f"create table read.{new} (like read.{old} including all){storage}")
    await connection.execute(f"alter table read.{new} enable row level security")
    for policy in await connection.fetch(_POLICIES, old, new):
        await connection.execute(policy["statement"])
    granted = await connection.fetch(
        """
        select quote_ident(rolname) as role, string_agg(privilege_type, ', ') as privileges
        from pg_class, aclexplode(relacl), pg_roles
        where pg_class.oid = $1::regclass and pg_roles.oid = grantee and grantee <> relowner group by rolname
        """,
        f"read.{old}",
    )
    for role, privileges in granted:
        await connection.execute(f"grant {privileges} on read.{new} to {role}")


_POLICIES = """
select format(
    'create policy %I on read.%I as %s for %s to %s', policyname, $2::text, permissive, cmd,
    (select string_agg(case role when 'public' then role else quote_ident(role) end, ', ') from unnest(roles) as role)
) || coalesce(' using (' || qual || ')', '') || coalesce(' with check (' || with_check || ')', '') as statement
from pg_policies where schemaname = 'read' and tablename = $1
"""
