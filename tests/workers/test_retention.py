"""The schedule of retention: what is due and what is not yet, dry and applied, and who stays after all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from commands.ports import History
from domain.profile import Profile
from domain.retention import INACTIVE, SESSIONS, SESSIONS_OF_ERASED, UNLINKED, Rule
from domain.user import User
from eventstore.connections import HOUSEKEEPER, create_pool
from tests.eventstore.conftest import a_cause
from tests.workers.conftest import Platform
from tests.workers.students import erase
from workers.retention import Due, find_due, let_go

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
async def housekeeping(platform: Platform) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(platform.store.dsn, HOUSEKEEPER, size=1)
    yield pool
    await pool.close()


async def register(platform: Platform, role: str, *, guardian: UUID | None = None) -> UUID:
    """Let someone have an account; a guardian's child is linked at once."""
    user_id = uuid4()
    await platform.store.keys.create(user_id)

    async def decide(history: History) -> None:
        profile = Profile(name="Ada", grade_level=3 if role == "student" else None, learning_preferences=())
        user = User.register(user_id, role, "ada@example.org", profile, datetime.now(UTC))  # type: ignore[arg-type]
        if guardian and (parent := await history.load(User, guardian)):
            parent.link_child(user, datetime.now(UTC))
            history.save(parent)
        history.save(user)

    await platform.store.log.execute(a_cause(user_id), decide)
    return user_id


async def link(platform: Platform, guardian: UUID, child: UUID) -> None:
    async def decide(history: History) -> None:
        parent, student = await history.load(User, guardian), await history.load(User, child)
        assert parent
        assert student
        parent.link_child(student, datetime.now(UTC))
        history.save(parent, student)

    await platform.store.log.execute(a_cause(guardian), decide)


async def unlink(platform: Platform, guardian: UUID, child: UUID) -> None:
    async def decide(history: History) -> None:
        parent, student = await history.load(User, guardian), await history.load(User, child)
        assert parent
        assert student
        parent.unlink_child(student, datetime.now(UTC))
        history.save(parent, student)

    await platform.store.log.execute(a_cause(guardian), decide)


async def due(pool: asyncpg.Pool, rule: Rule, after: timedelta) -> Due:
    """Return what this rule asks for, so long from now."""
    return next(one for one in await find_due(pool, datetime.now(UTC) + after) if one.rule == rule)


async def test_students_without_a_guardian_are_due_after_fourteen_days(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    parent = await register(platform, "parent")
    alone, child = await register(platform, "student"), await register(platform, "student", guardian=parent)
    left = await register(platform, "student", guardian=parent)
    await unlink(platform, parent, left)
    await platform.project()

    assert (await due(housekeeping, UNLINKED, 14 * DAY - 60 * SECOND)).people == []
    assert set((await due(housekeeping, UNLINKED, 14 * DAY)).people) == {alone, left}
    assert child not in (await due(housekeeping, UNLINKED, 1000 * DAY)).people
    assert [record.type for record in await platform.store.reader.read(0)].count("UserErased") == 0, "a dry run"


async def test_a_student_whom_one_of_two_guardians_has_left_is_not_due(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    mother, father = await register(platform, "parent"), await register(platform, "parent")
    child = await register(platform, "student", guardian=mother)
    await link(platform, father, child)
    await unlink(platform, father, child)
    await platform.project()

    assert (await due(housekeeping, UNLINKED, 14 * DAY)).people == []
    await link(platform, father, child)
    for parent in (mother, father):
        await unlink(platform, parent, child)
    assert (await due(housekeeping, UNLINKED, 14 * DAY)).people == [child]


async def test_all_who_are_due_are_found_though_only_some_are_asked_about_at_once(
    platform: Platform, housekeeping: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.retention.AT_ONCE", 2)
    registered = [await register(platform, role) for role in ("student", "parent", "parent", "student", "parent")]
    await platform.project()

    assert (await due(housekeeping, UNLINKED, 14 * DAY)).people == [registered[0], registered[3]]
    assert (await due(housekeeping, INACTIVE, 730 * DAY)).people == registered


async def test_what_is_due_is_erased_but_not_who_has_got_a_guardian_meanwhile(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    parent = await register(platform, "parent")
    alone, late = await register(platform, "student"), await register(platform, "student")
    await platform.project()
    later = datetime.now(UTC) + 14 * DAY
    found = await due(housekeeping, UNLINKED, 14 * DAY)
    await link(platform, parent, late)

    assert await let_go(housekeeping, platform.store.log, found, later) == 1
    erased = [record for record in await platform.store.reader.read(0) if record.type == "UserErased"]
    assert [(record.subject, record.data) for record in erased] == [(alone, '{"reason":"unlinked"}')]
    assert await let_go(housekeeping, platform.store.log, found, later) == 0


async def test_a_family_of_which_nothing_was_heard_is_due_and_one_that_only_looks_is_not(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    quiet, looking = await register(platform, "parent"), await register(platform, "parent")
    child, other = [await register(platform, "student", guardian=parent) for parent in (quiet, looking)]
    await platform.project()
    await sign_in(platform, looking, seen=600 * DAY)

    assert (await due(housekeeping, INACTIVE, 730 * DAY - 60 * SECOND)).people == []
    assert set((await due(housekeeping, INACTIVE, 730 * DAY)).people) == {quiet, child}
    assert set((await due(housekeeping, INACTIVE, 1331 * DAY)).people) == {quiet, child, looking, other}


async def test_a_former_guardian_who_is_active_keeps_nobody(platform: Platform, housekeeping: asyncpg.Pool) -> None:
    mother, father = await register(platform, "parent"), await register(platform, "parent")
    child = await register(platform, "student", guardian=mother)
    await link(platform, father, child)
    await unlink(platform, father, child)
    await platform.project()
    await sign_in(platform, father, seen=600 * DAY)

    assert set((await due(housekeeping, INACTIVE, 730 * DAY)).people) == {mother, child}


async def test_sessions_that_ended_are_due_but_neither_the_last_nor_a_revoked_one(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    person = await register(platform, "parent")
    await platform.project()
    for days in (0, 1, 2):
        await sign_in(platform, person, seen=days * DAY)
    revoked = await sign_in(platform, person, seen=timedelta(0))
    owner = await asyncpg.connect(platform.store.dsn)
    await owner.execute("update sessions set revoked_at = now(), revoked_because = 'logout' where id = $1", revoked)
    await owner.close()

    assert (await due(housekeeping, SESSIONS, 89 * DAY)).rows == 0
    found = await due(housekeeping, SESSIONS, 95 * DAY)

    assert found.rows == 2
    assert await let_go(housekeeping, platform.store.log, found, datetime.now(UTC) + 95 * DAY) == 2
    assert await platform.store.pool.fetchval("select count(*) from sessions") == 2


async def test_many_rows_are_deleted_some_at_a_time(
    platform: Platform, housekeeping: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.retention.AT_ONCE", 2)
    person = await register(platform, "parent")
    await platform.project()
    for days in range(6):
        await sign_in(platform, person, seen=days * DAY)
    owner = await asyncpg.connect(platform.store.dsn)
    await owner.execute(
        """
        create function refuse_many() returns trigger language plpgsql as $$
        begin
            assert (select count(*) from gone) <= 2;
            return null;
        end $$;
        create trigger some_at_a_time after delete on sessions referencing old table as gone
            for each statement execute function refuse_many();
        """
    )
    await owner.close()
    found = await due(housekeeping, SESSIONS, 100 * DAY)

    assert await let_go(housekeeping, platform.store.log, found, datetime.now(UTC) + 100 * DAY) == found.rows == 5


async def test_nothing_is_left_of_the_sessions_of_who_was_erased(
    platform: Platform, housekeeping: asyncpg.Pool
) -> None:
    person = await register(platform, "parent")
    await platform.project()
    await sign_in(platform, person, seen=timedelta(0))
    await platform.store.pool.execute("insert into sign_outs values ($1, now())", person)
    receipt = await erase(platform.store, person)
    await platform.store.pool.execute("insert into erasures values ($1, $2)", person, receipt.last)

    assert (await due(housekeeping, SESSIONS_OF_ERASED, 29 * DAY)).rows == 0
    found = await due(housekeeping, SESSIONS_OF_ERASED, 30 * DAY)

    assert found.rows == 2
    assert await let_go(housekeeping, platform.store.log, found, datetime.now(UTC) + 30 * DAY) == 2
    assert (await due(housekeeping, SESSIONS_OF_ERASED, 30 * DAY)).rows == 0


async def sign_in(platform: Platform, person: UUID, *, seen: timedelta) -> UUID:
    """Let someone have a session that was last seen so long from now."""
    session_id = uuid4()
    await platform.store.pool.execute(
        "insert into sessions (id, user_id, seen_at, expires_at) values ($1, $2, now() + $3, now() + $3)",
        session_id,
        person,
        seen,
    )
    return session_id
