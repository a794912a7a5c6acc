"""Migrated generations: read models that were rebuilt before an upgrade are changed with the rest."""

import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg

from adapters.migrations import known_migrations, migrate
from projections.user_profile import Row, UserProfiles
from workers.generations import connect, drop, make

SHIPPED = Path(__file__).parents[2] / "infra" / "postgres" / "migrations"
PROFILES = UserProfiles()


async def test_every_generation_of_profiles_gets_the_columns_of_changed_ones(
    empty_database: str, tmp_path: Path
) -> None:
    await migrate_before(9, empty_database, tmp_path)
    owner = await connect(empty_database)
    user = uuid4()
    assert [await make(owner, PROFILES), await make(owner, PROFILES)] == [2, 3]
    await owner.execute(
        """
        insert into read.user_profile_g3 values
            ($1, 1, now(), 'parent', null, 'UTC', now(), now(), 'UserRegistered', gen_random_uuid(), 1, 'sealed');
        """,
        user,
    )
    await switch(owner, 3)
    await drop(owner, PROFILES, 2)

    await migrate(empty_database)

    for table in ("user_profile_g1", "user_profile_g3", "user_profile"):
        assert await columns(owner, table) == list(Row._fields)
    assert await owner.fetchval("select user_id from read.user_profile where profile_sealed is null") == user
    assert await owner.fetchval("select user_id from profiles join users on users.id = user_id") == user
    assert await make(owner, PROFILES) == 4
    assert await columns(owner, "user_profile_g4") == list(Row._fields)
    await owner.close()


async def migrate_before(number: int, database: str, directory: Path) -> None:
    """Apply the migrations up to that one, as an earlier release did."""
    for migration in known_migrations():
        if migration.number < number:
            shutil.copy(SHIPPED / migration.name, directory)
    await migrate(database, directory)


async def switch(owner: asyncpg.Connection, generation: int) -> None:
    """Let readers see a generation, empty or not."""
    await owner.execute("update read.generations set state = 'fed' where projection = 'user_profile'")
    await owner.execute(
        "update read.generations set state = 'live' where projection = 'user_profile' and generation = $1", generation
    )
    await owner.execute(f"create or replace view read.user_profile as select * from read.user_profile_g{generation}")


async def columns(owner: asyncpg.Connection, relation: str) -> list[str]:
    """Return the names of a table's or view's columns, in order."""
    rows = await owner.fetch(
        """
        select attname from pg_attribute
        where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        f"read.{relation}",
    )
    return [row["attname"] for row in rows]
