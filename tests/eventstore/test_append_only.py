"""Append-only: what is in the log stays as it is, by rights and by triggers; keys are for their own role."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from eventstore.append import Accepted
from eventstore.connections import APP, KEYS, PROJECTOR
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store

CHANGES = [
    "update events set type = 'Other'",
    "update events set type = 'Other' where position = 0",
    "delete from events",
    "truncate events",
    "truncate events, commands",
    "update commands set operation = 'Other'",
    "delete from commands",
    "truncate commands",
]


@pytest.fixture
async def owner(store: Store) -> AsyncIterator[asyncpg.Connection]:
    """Connect as who owns the log and migrated it, with one event in it."""
    assert isinstance(await store.appender.append(an_append(("a", END))), Accepted)
    connection = await asyncpg.connect(store.dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_the_owner_changes_the_log(owner: asyncpg.Connection, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the log is append-only"):
        await owner.execute(change)

    assert await owner.fetchval("select type || operation from events, commands") == "TestedTest"


@pytest.mark.parametrize("role", [APP, PROJECTOR])
@pytest.mark.parametrize("change", CHANGES)
async def test_the_roles_of_processes_have_no_right_to_change_it(
    owner: asyncpg.Connection, role: str, change: str
) -> None:
    await owner.execute(f"set role {role}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await owner.execute(change)


async def test_each_role_may_do_its_part_and_no_more(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        """
        select role, relation, string_agg(privilege, ' ' order by privilege) from
            unnest($1::text[]) as role,
            unnest(array['events', 'commands', 'keys.person_keys']) as relation,
            unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
        where has_table_privilege(role, relation, privilege) and has_schema_privilege(role, split_part(
            case when relation like '%.%' then relation else 'public.' || relation end, '.', 1), 'usage')
        group by role, relation
        """,
        [APP, PROJECTOR, KEYS],
    )

    assert {(role, relation): privileges for role, relation, privileges in rows} == {
        (APP, "events"): "insert select",
        (APP, "commands"): "insert select",
        (PROJECTOR, "events"): "select",
        (PROJECTOR, "commands"): "select",
        (KEYS, "keys.person_keys"): "delete insert select update",
    }


@pytest.mark.parametrize("role", [APP, PROJECTOR])
async def test_keys_are_read_by_their_own_role_alone(owner: asyncpg.Connection, role: str) -> None:
    await owner.execute(f"set role {role}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.fetch("select * from keys.person_keys")


async def test_a_projector_cannot_append(owner: asyncpg.Connection) -> None:
    await owner.execute(f"set role {PROJECTOR}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owner.execute("insert into events select * from events")


async def test_the_processes_of_the_platform_act_in_their_roles(store: Store) -> None:
    await store.appender.append(an_append(("a", END)))

    assert await store.pool.fetchval("select current_user") == APP
    assert await store.keys._pool.fetchval("select current_user") == KEYS
    assert store.appender._connection
    assert await store.appender._connection.fetchval("select current_user") == APP


@pytest.mark.parametrize("position", [1, 3], ids=["taken", "not the next"])
async def test_a_position_cannot_be_taken_twice(owner: asyncpg.Connection, position: int) -> None:
    await owner.execute(
        'insert into events select (jsonb_populate_record(e, \'{"position": 3, "version": 2}\')).* from events e'
    )

    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "insert into events select (jsonb_populate_record(e, $1)).* from events e where position = 1",
            f'{{"position": {position}, "version": 9}}',
        )
