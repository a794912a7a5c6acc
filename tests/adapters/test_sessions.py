"""The table of sessions: what opens, what never opens again, and that no race gets round it."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.revocations import UNCOMMITTED, Revocations
from adapters.sessions import Session, Sessions
from adapters.tokens import Claims
from domain.errors import TokenRefused
from eventstore.connections import APP, create_pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database, APP, size=10)
    yield pool
    await pool.close()


@pytest.fixture
def sessions(pool: asyncpg.Pool) -> Sessions:
    return Sessions(pool)


def claims(user_id: UUID | None = None, session_id: UUID | None = None, *, age: int = 60) -> Claims:
    now = int(time.time())
    return Claims(user_id or uuid4(), session_id or uuid4(), now + 3600, now - age)


async def opens(sessions: Sessions, asked: Claims) -> bool:
    try:
        await sessions.open(asked)
    except TokenRefused:
        return False
    return True


async def test_a_session_opens_with_its_first_token_and_is_the_same_with_the_next(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    first = claims()
    later = Claims(first.user_id, first.session_id, first.expires_at + 3600, first.began_at)

    opened, again = await sessions.open(first), await sessions.open(later)

    assert (opened.user_id, opened.session_id, opened.expires_at) == (first.user_id, first.session_id, first.expires_at)
    assert again.expires_at == later.expires_at
    assert abs(opened.checked_at - time.time()) < 60
    row = await pool.fetchrow("select count(*) as rows, max(expires_at) as ends from sessions")
    assert row
    assert (row["rows"], row["ends"].timestamp()) == (1, later.expires_at)


async def test_what_was_seen_lately_is_not_written_again(sessions: Sessions, pool: asyncpg.Pool) -> None:
    asked = claims()
    await sessions.open(asked)
    before = await pool.fetchval("select xmin::text from sessions")

    await sessions.open(asked)
    untouched = await pool.fetchval("select xmin::text from sessions")
    await pool.execute("update sessions set seen_at = seen_at - interval '6 minutes'")
    await sessions.open(asked)

    assert untouched == before
    assert await pool.fetchval("select clock_timestamp() - seen_at < interval '1 minute' from sessions")


async def test_a_revoked_session_never_opens_again(sessions: Sessions, pool: asyncpg.Pool) -> None:
    asked = claims()
    await sessions.open(asked)

    revoked = await sessions.revoke(asked.session_id, "operator")

    assert list(revoked) == [asked.session_id]
    await pool.execute(
        "update sessions set seen_at = seen_at - interval '1 year', expires_at = now() - interval '1 year'"
    )
    for _ in range(3):
        assert not await opens(sessions, asked)
    with pytest.raises(TokenRefused):
        await sessions.begin(asked, "refresh token")
    with pytest.raises(TokenRefused):
        await sessions.rotate(asked, "used", "next")


async def test_what_is_over_or_is_none_is_not_revoked_twice(sessions: Sessions, pool: asyncpg.Pool) -> None:
    asked = claims()
    await sessions.open(asked)
    await sessions.revoke(asked.session_id, "logout")

    assert await sessions.revoke(asked.session_id, "operator") == {}
    assert await sessions.revoke(uuid4(), "operator") == {}
    assert await pool.fetchval("select revoked_because from sessions") == "logout"


async def test_all_of_a_users_sessions_end_and_nobody_elses(sessions: Sessions) -> None:
    user_id, other = uuid4(), claims()
    mine = [claims(user_id) for _ in range(3)]
    for asked in (*mine, other):
        await sessions.open(asked)

    revoked = await sessions.revoke_all(user_id, "operator")

    assert revoked.keys() == {asked.session_id for asked in mine}
    assert [await opens(sessions, asked) for asked in (*mine, other)] == [False, False, False, True]


async def test_a_session_that_began_before_all_ended_never_opens_and_a_later_one_does(sessions: Sessions) -> None:
    user_id = uuid4()

    await sessions.revoke_all(user_id, "operator")

    assert not await opens(sessions, claims(user_id, age=0))
    unseen = claims(user_id, age=3600)
    assert not await opens(sessions, unseen)
    assert not await opens(sessions, unseen)
    assert await opens(sessions, claims(user_id, age=-2))
    just_begun = claims(user_id, age=0)
    await sessions.begin(just_begun, "refresh token")
    assert await opens(sessions, just_begun)


async def test_no_session_that_opens_while_all_end_is_left(sessions: Sessions, pool: asyncpg.Pool) -> None:
    for _ in range(20):
        user_id = uuid4()
        asked = [claims(user_id) for _ in range(6)]

        await asyncio.gather(*(opens(sessions, one) for one in asked), sessions.revoke_all(user_id, "operator"))

        live = "select count(*) from sessions where user_id = $1 and revoked_at is null"
        assert await pool.fetchval(live, user_id) == 0
        assert not any([await opens(sessions, one) for one in asked])


async def test_opening_at_once_opens_once(sessions: Sessions, pool: asyncpg.Pool) -> None:
    asked = claims()

    opened = await asyncio.gather(*(opens(sessions, asked) for _ in range(30)))

    assert all(opened)
    assert await pool.fetchval("select count(*) from sessions") == 1


async def test_a_refresh_token_is_known_by_its_hash_and_used_up_ten_seconds_after_its_use(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    asked = claims()
    await sessions.begin(asked, "first")
    await sessions.rotate(asked, "first", "second")
    known = [await sessions.find(token) for token in ("first", "second", "third")]

    await pool.execute("update refresh_tokens set used_at = used_at - interval '10 seconds'")
    later = [await sessions.find(token) for token in ("first", "second")]

    assert [one and (one.session_id, one.is_revoked, one.is_reused) for one in known] == [
        (asked.session_id, False, False),
        (asked.session_id, False, False),
        None,
    ]
    assert [one and one.is_reused for one in later] == [True, False]
    hashes = await pool.fetch("select hash from refresh_tokens")
    assert {len(row["hash"]) for row in hashes} == {32}


async def test_a_repeated_use_does_not_prolong_the_ten_seconds(sessions: Sessions, pool: asyncpg.Pool) -> None:
    asked = claims()
    await sessions.begin(asked, "first")
    await sessions.rotate(asked, "first", "second")
    await pool.execute("update refresh_tokens set used_at = used_at - interval '9 seconds'")
    await sessions.rotate(asked, "first", "second")

    await pool.execute("update refresh_tokens set used_at = used_at - interval '1 second'")

    known = await sessions.find("first")
    assert known
    assert known.is_reused


async def test_refresh_tokens_used_long_ago_are_forgotten_with_the_next_refresh(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    asked = claims()
    await sessions.begin(asked, "first")
    await sessions.rotate(asked, "first", "second")
    await pool.execute("update refresh_tokens set used_at = used_at - interval '91 days'")

    await sessions.rotate(asked, "second", "third")

    assert await sessions.find("first") is None
    assert await pool.fetchval("select count(*) from refresh_tokens") == 2


# What a process knows of revocations.


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def remembered(asked: Claims, checked_at: float | None = None) -> Session:
    return Session(asked.user_id, asked.session_id, asked.expires_at, checked_at or time.time())


async def test_a_process_trusts_nobody_before_its_first_look_nor_five_seconds_after_its_last(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    clock, asked = Clock(), claims()
    session = await sessions.open(asked)
    revocations = Revocations(pool, clock=clock)
    before = revocations.allow(session)

    await revocations.look()
    trusted = revocations.allow(session)
    clock.now += 4.9
    still = revocations.allow(session)
    clock.now += 0.1

    assert (before, trusted, still, revocations.allow(session)) == (False, True, True, False)


async def test_a_look_learns_of_what_was_revoked_elsewhere_also_before_the_start(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    early, late, other = [await sessions.open(claims()) for _ in range(3)]
    await sessions.revoke(early.session_id, "operator")
    revocations = Revocations(pool)

    await revocations.look()
    first = [revocations.allow(one) for one in (early, late, other)]
    await sessions.revoke(late.session_id, "operator")
    await revocations.look()

    assert first == [False, True, True]
    assert [revocations.allow(one) for one in (early, late, other)] == [False, False, True]


async def test_a_revocation_that_is_committed_late_is_not_overlooked(
    database: str, sessions: Sessions, pool: asyncpg.Pool
) -> None:
    slow, quick = [await sessions.open(claims()) for _ in range(2)]
    clock = Clock()
    revocations = Revocations(pool, clock=clock)
    connection = await asyncpg.connect(database)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "update sessions set revoked_at = now() - interval '10 s', revoked_because = 'operator' where id = $1",
        slow.session_id,
    )
    await revocations.look()
    await sessions.revoke(quick.session_id, "operator")
    clock.now += 2
    await revocations.look()

    await transaction.commit()
    clock.now += 2
    await revocations.look()

    assert [revocations.allow(one) for one in (slow, quick)] == [False, False]
    await connection.close()


async def test_beyond_so_many_revocations_the_oldest_are_forgotten_and_asked_about_instead(
    sessions: Sessions, pool: asyncpg.Pool
) -> None:
    opened = [await sessions.open(claims()) for _ in range(5)]
    for one in opened[:4]:
        await sessions.revoke(one.session_id, "operator")
    revocations = Revocations(pool, most=2)

    await revocations.look()

    assert [revocations.allow(one) for one in opened] == [False] * 5
    afterwards = remembered(claims(), time.time() + UNCOMMITTED + 1)
    assert revocations.allow(afterwards)


async def test_what_was_revoked_long_ago_is_forgotten(sessions: Sessions, pool: asyncpg.Pool) -> None:
    old = await sessions.open(claims())
    await sessions.revoke(old.session_id, "operator")
    revocations = Revocations(pool)
    await revocations.look()

    await pool.execute("update sessions set revoked_at = revoked_at - interval '16 minutes'")
    revocations.add({old.session_id: time.time() - 960})
    await revocations.look()

    assert revocations._revoked == {}


async def test_looking_uses_an_index(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(
        """
        insert into sessions (id, user_id, expires_at, revoked_at, revoked_because)
        select gen_random_uuid(), gen_random_uuid(), now(), now() - n * interval '1 minute', 'logout'
        from generate_series(1, 20000) as n
        """
    )
    await connection.execute("analyze sessions")

    plan = await connection.fetch(
        """
        explain select id, revoked_at from sessions where revoked_at > statement_timestamp() - make_interval(secs => 32)
        order by revoked_at desc limit 100001
        """
    )

    assert "sessions_revoked" in str(plan)
    await connection.close()
