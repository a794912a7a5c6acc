"""Migrations: numbered SQL files, applied once and in order, each in its own transaction, by one process at a time."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import asyncpg

_LOCK = 0x61667465727363  # "aftersc": the advisory lock that migrating processes queue for
_NAME = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")


class MigrationsRefused(Exception):
    """Code and database do not fit together; the message names the migration in the way, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_log.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations(directory: Path | None = None) -> list[Migration]:
    """Read the files of a directory (by default the ones that came with the code), in order."""
    migrations = []
    for path in sorted((directory or _shipped()).glob("*.sql")):
        if not (match := _NAME.fullmatch(path.name)):
            raise MigrationsRefused(f"{path.name} is not named like 0001_what_it_does.sql")
        migrations.append(Migration(int(match["number"]), path.name, path.read_text(encoding="utf-8")))
    for one, next_one in pairwise(migrations):
        if one.number == next_one.number:
            raise MigrationsRefused(f"{one.name} and {next_one.name} bear the same number")
    return migrations


async def migrate(database_url: str, directory: Path | None = None, *, lock_seconds: float = 60) -> list[str]:
    """Apply what is missing and return the names of what was applied; a second call does nothing.

    Waits up to `lock_seconds` for another process that migrates, and 5 s for any table lock. Raises
    `MigrationsRefused`, before anything is changed, when an applied file has changed since, when the database holds a
    migration this code does not know (it is newer than the code), or when a missing one lies before an applied one.
    """
    known = known_migrations(directory)
    connection = await asyncpg.connect(database_url, server_settings={"application_name": "afterschool migrate"})
    try:
        await connection.execute(f"set lock_timeout = '{int(lock_seconds * 1000)}ms'")
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute("set lock_timeout = '5s'")
        return [await _apply(connection, migration) for migration in _missing(known, await _applied(connection))]
    except asyncpg.LockNotAvailableError:
        raise MigrationsRefused("another process holds a lock that a migration needs; try again later") from None
    finally:
        await connection.close()


def _shipped() -> Path:
    """Find the files where a wheel carries them, else where the repository keeps them."""
    in_wheel = Path(str(files("eventstore"))) / "migrations"
    return in_wheel if in_wheel.is_dir() else Path(__file__).parents[2] / "infra" / "postgres" / "migrations"


async def _applied(connection: asyncpg.Connection) -> dict[int, asyncpg.Record]:
    await connection.execute("""
        create table if not exists public.migrations (
            number int primary key,
            name text not null,
            checksum text not null,
            applied_at timestamptz not null default clock_timestamp()
        )
    """)
    rows = await connection.fetch("select number, name, checksum from public.migrations order by number")
    return {row["number"]: row for row in rows}


def _missing(known: list[Migration], applied: dict[int, asyncpg.Record]) -> list[Migration]:
    files_by_number = {migration.number: migration for migration in known}
    newest = max(applied, default=0)
    for number, row in applied.items():
        if number not in files_by_number:
            newest_known = known[-1].name if known else "none"
            raise MigrationsRefused(
                f"the database is newer than this code: it has {row['name']}, this code's newest is {newest_known}"
            )
        if row["checksum"] != files_by_number[number].checksum:
            raise MigrationsRefused(
                f"{files_by_number[number].name} was changed after it was applied as {row['name']}; "
                "write the change as a new migration"
            )
    missing = [migration for migration in known if migration.number not in applied]
    if missing and missing[0].number < newest:
        raise MigrationsRefused(f"{missing[0].name} comes before {applied[newest]['name']}, which is applied already")
    return missing


async def _apply(connection: asyncpg.Connection, migration: Migration) -> str:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into public.migrations (number, name, checksum) values ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )
    return migration.name
