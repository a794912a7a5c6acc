"""Migrations: what is applied, what is refused, and that two processes do not collide."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from adapters.migrations import MigrationsRefused, known_migrations, migrate


def write(directory: Path, **files: str) -> Path:
    for name, sql in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(sql, encoding="utf-8")
    return directory


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


async def test_what_is_missing_is_applied_in_order_and_only_once(empty_database: str, tmp_path: Path) -> None:
    write(
        tmp_path, m0001_first="create table a (x int); insert into a values (1)", m0002_second="alter table a add y int"
    )

    first = await migrate(empty_database, tmp_path)
    second = await migrate(empty_database, tmp_path)

    assert first == ["0001_first.sql", "0002_second.sql"]
    assert second == []
    assert await tables(empty_database) == {"a", "migrations"}


async def test_a_failing_file_leaves_nothing_behind_and_keeps_the_ones_before(
    empty_database: str, tmp_path: Path
) -> None:
    write(tmp_path, m0001_good="create table a (x int)", m0002_bad="create table b (x int); select 1/0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database, tmp_path)

    assert await tables(empty_database) == {"a", "migrations"}


async def test_a_file_changed_after_it_was_applied_is_refused_by_name(empty_database: str, tmp_path: Path) -> None:
    await migrate(empty_database, write(tmp_path, m0001_first="create table a (x int)"))
    write(tmp_path, m0001_first="create table a (x bigint)", m0002_second="create table b (x int)")

    with pytest.raises(MigrationsRefused, match=r"0001_first\.sql was changed after it was applied"):
        await migrate(empty_database, tmp_path)

    assert "b" not in await tables(empty_database)


async def test_a_database_newer_than_the_code_is_refused_and_both_are_named(
    empty_database: str, tmp_path: Path
) -> None:
    await migrate(empty_database, write(tmp_path, m0001_old="select 1", m0002_new="select 2"))
    (tmp_path / "0002_new.sql").unlink()

    with pytest.raises(MigrationsRefused, match=r"0002_new\.sql.*newest is 0001_old\.sql"):
        await migrate(empty_database, tmp_path)


async def test_a_migration_that_missed_its_turn_is_refused(empty_database: str, tmp_path: Path) -> None:
    await migrate(empty_database, write(tmp_path, m0001_first="select 1", m0003_third="select 3"))
    write(tmp_path, m0002_late="select 2")

    with pytest.raises(MigrationsRefused, match=r"0002_late\.sql comes before 0003_third\.sql"):
        await migrate(empty_database, tmp_path)


async def test_processes_that_migrate_at_the_same_time_apply_each_file_once(
    empty_database: str, tmp_path: Path
) -> None:
    write(tmp_path, m0001_first="create table a (x int)", m0002_second="create table b (x int)")

    applied = await asyncio.gather(*(migrate(empty_database, tmp_path) for _ in range(5)))

    assert sorted(len(names) for names in applied) == [0, 0, 0, 0, 2]


async def test_a_lock_held_by_another_is_not_waited_for_without_end(empty_database: str, tmp_path: Path) -> None:
    await migrate(empty_database, write(tmp_path, m0001_first="create table a (x int)"))
    write(tmp_path, m0002_second="alter table a add y int")
    other = await asyncpg.connect(empty_database)

    try:
        async with other.transaction():
            await other.execute("select pg_advisory_xact_lock(0x61667465727363)")
            with pytest.raises(MigrationsRefused, match="another process"):
                await migrate(empty_database, tmp_path, lock_seconds=0.1)
    finally:
        await other.close()

    assert await migrate(empty_database, tmp_path) == ["0002_second.sql"]


@pytest.mark.parametrize("name", ["1_short.sql", "0001-dash.sql", "notes.sql"])
def test_a_file_with_another_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1", encoding="utf-8")

    with pytest.raises(MigrationsRefused, match="not named like"):
        known_migrations(tmp_path)


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    write(tmp_path, m0001_one="select 1", m0001_two="select 2")

    with pytest.raises(MigrationsRefused, match="bear the same number"):
        known_migrations(tmp_path)


async def test_the_migrations_that_ship_with_the_code_are_applied_to_a_new_database(empty_database: str) -> None:
    assert await migrate(empty_database) == [migration.name for migration in known_migrations()]
