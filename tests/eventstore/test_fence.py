"""Fence: whatever a query asks for, it finds the rows of the people whom its viewer may see, and of nobody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from commands.ports import History
from domain.user import User
from eventstore.append import Accepted, Append
from eventstore.connections import QUERIES
from eventstore.fence import Fence
from eventstore.record import part_of
from tests.eventstore.appends import END, a_row, an_append
from tests.eventstore.conftest import Store, a_cause
from tests.eventstore.test_log import register

EVERYTHING = "select subject from events"
"""A query whose filter was forgotten."""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Return a pool with one connection, which every transaction uses after the other, and nobody tidies up between."""

    async def leave_it(_: object) -> None:
        pass

    opened = await asyncpg.create_pool(
        database, min_size=1, max_size=1, reset=leave_it, server_settings={"role": QUERIES}
    )
    yield opened
    await opened.close()


@pytest.fixture
def fence(pool: asyncpg.Pool) -> Fence:
    return Fence(pool)


async def seen_by(fence: Fence, viewer: UUID) -> set[UUID | None]:
    return {row["subject"] for row in await fence.seen_by(viewer).fetch(EVERYTHING)}


async def link(store: Store, parent: UUID, child: UUID, *, until_now: bool = False) -> None:
    """Let a parent follow a child, or do so no more."""

    async def decide(history: History) -> None:
        guardian, student = await history.load(User, parent), await history.load(User, child)
        assert guardian
        assert student
        if until_now:
            guardian.unlink_child(student, datetime.now(UTC))
        else:
            guardian.link_child(student, datetime.now(UTC))
        history.save(guardian, student)

    await store.log.execute(a_cause(parent), decide)


async def erase(store: Store, person: UUID) -> None:
    """Append what says that a person is erased."""
    command_id = uuid4()
    row = a_row(f"user-{person}", END, command_id, 1)
    row = row._replace(type="UserErased", subject=person, part=part_of(person, ""))
    assert isinstance(await store.appender.append(Append(command_id, "Test", b"", 1, [row], [])), Accepted)


async def test_a_forgotten_filter_brings_back_no_foreign_row(store: Store, fence: Fence) -> None:
    parent, child, sibling, stranger = [await register(store, role) for role in ("parent", *["student"] * 3)]
    await store.appender.append(an_append(("about-nobody", END)))
    await link(store, parent, child)
    await link(store, parent, sibling)

    assert await seen_by(fence, parent) == {parent, child, sibling}
    assert await seen_by(fence, child) == {child}
    assert await seen_by(fence, stranger) == {stranger}
    assert await seen_by(fence, uuid4()) == set()


async def test_of_each_child_the_last_link_counts(store: Store, fence: Fence) -> None:
    parent, child, sibling = [await register(store, role) for role in ("parent", "student", "student")]
    await link(store, parent, child)
    await link(store, parent, sibling)

    await link(store, parent, child, until_now=True)
    assert await seen_by(fence, parent) == {parent, sibling}

    await link(store, parent, child)
    assert await seen_by(fence, parent) == {parent, child, sibling}


async def test_who_is_erased_is_seen_by_nobody_and_sees_nobody(store: Store, fence: Fence) -> None:
    parent, child, sibling = [await register(store, role) for role in ("parent", "student", "student")]
    await link(store, parent, child)
    await link(store, parent, sibling)

    await erase(store, child)
    assert await seen_by(fence, parent) == {parent, sibling}
    assert await seen_by(fence, child) == set()

    await erase(store, parent)
    assert await seen_by(fence, parent) == set()
    assert await seen_by(fence, sibling) == {sibling}


@pytest.mark.parametrize("named", ["select", "set afterschool.viewer = ''", "set afterschool.viewer to default"])
async def test_without_a_viewer_there_are_no_rows(store: Store, pool: asyncpg.Pool, named: str) -> None:
    await register(store)

    async with pool.acquire() as connection:
        await connection.execute(named)
        assert await connection.fetch(EVERYTHING) == []


async def test_a_viewer_is_named_for_one_transaction_alone(store: Store, pool: asyncpg.Pool, fence: Fence) -> None:
    student = await register(store)

    for _ in range(2):
        assert await fence.seen_by(student).fetchval("select pg_backend_pid()") == await pool.fetchval(
            "select pg_backend_pid()"
        )
        assert await seen_by(fence, student) == {student}
        assert await nobody_is_named(pool)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await fence.seen_by(student).fetchrow("select 1 / 0")
        assert await nobody_is_named(pool)


async def test_a_cancelled_read_leaves_no_viewer_behind(
    store: Store, pool: asyncpg.Pool, fence: Fence, caplog: pytest.LogCaptureFixture
) -> None:
    student = await register(store)
    await pool.fetchval("select 1")

    for moment in range(60):
        reading = asyncio.create_task(fence.seen_by(student).fetch(f"{EVERYTHING}, pg_sleep(0.003)"))
        await asyncio.sleep(moment * 0.0001)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await nobody_is_named(pool)
    assert "active transaction" not in caplog.text  # what the pool says when it has to end one


async def nobody_is_named(pool: asyncpg.Pool) -> bool:
    async with pool.acquire() as connection:
        named = await connection.fetchval("select current_setting('afterschool.viewer', true)")
        return not named and not connection.is_in_transaction() and await connection.fetch(EVERYTHING) == []


async def test_the_role_of_queries_reads_what_is_fenced_and_nothing_else(database: str) -> None:
    owner = await asyncpg.connect(database)
    granted = await owner.fetch(
        """
        select relation.oid::regclass::text as name, string_agg(distinct privilege_type, ' ') as privileges,
            case relkind
                when 'v' then reloptions @> array['security_invoker=true']
                else relrowsecurity and exists (
                    select from pg_policy
                    where polrelid = relation.oid and not polpermissive and polroles = array[$1::regrole::oid]
                )
            end as fenced
        from pg_class as relation, aclexplode(relacl) where grantee in (0, $1::regrole)
            and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        group by relation.oid
        """,
        QUERIES,
    )
    role = await owner.fetchrow("select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = $1", QUERIES)
    await owner.close()

    models = (
        *("user_profile", "progress_records", "progress_students", "progress_topics", "progress_activity"),
        "assessment_results",
    )
    assert {row["name"] for row in granted} == {
        *("events", "reads", *(f"read.{model}" for model in models), *(f"read.{model}_g1" for model in models))
    }
    assert {row["privileges"] for row in granted} == {"SELECT"}
    assert all(row["fenced"] for row in granted)
    assert role
    assert not any(role)
