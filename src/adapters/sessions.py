"""Sessions: the table that says who is signed in on which device, and which sessions never open again.

A session has the id that the provider gave it and opens with the first of its tokens that is seen. What is kept of
refresh tokens are hashes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from adapters.tokens import Claims
from domain.errors import TokenRefused

GRACE = 10
"""Seconds for which a used refresh token may come again: its answer was lost, or two tabs refreshed at once."""
COARSE = 300
"""Seconds that `seen_at` may be behind."""
REMEMBERED = 90
"""Days for which a used refresh token is known."""
_LOCK = 7106
"""Advisory lock, by user, under which a session is opened for the first time or all of a user's end."""

LOGOUT, LOGOUT_ALL, OPERATOR = "logout", "logout-all-devices", "operator"
REUSED, ENDED = "refresh-token-reused", "ended-by-provider"


@dataclass(frozen=True, slots=True)
class Session:
    """Whose an access token is, which session it belongs to, when it ends and when Postgres last let it pass.

    The moments are Unix seconds.
    """

    user_id: UUID
    session_id: UUID
    expires_at: int
    checked_at: float


@dataclass(frozen=True, slots=True)
class Refreshable:
    """What is known of a refresh token: its session, whether that is over, and whether the token was used up."""

    session_id: UUID
    is_revoked: bool
    is_reused: bool


class Sessions:
    """The tables of sessions and refresh tokens. Everything raises what `asyncpg` says when Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def open(self, claims: Claims) -> Session:
        """Return the session of a verified token, opened if it never was; raises `TokenRefused` for a revoked one."""
        row = await self._pool.fetchrow(
            """
            select
                user_id, revoked_at,
                expires_at < to_timestamp($2) or seen_at < clock_timestamp() - make_interval(secs => $3) as is_stale,
                extract(epoch from clock_timestamp())::float8 as checked_at
            from sessions where id = $1
            """,
            claims.session_id,
            claims.expires_at,
            COARSE,
        )
        if row is None or (row["is_stale"] and row["revoked_at"] is None):
            async with self._first_come(claims.user_id) as connection:
                row = await _open(connection, claims)
        return _passed(row, claims)

    async def begin(self, claims: Claims, refresh_token: str) -> None:
        """Open the session of someone who has just signed in with us; raises `TokenRefused` for a revoked one."""
        async with self._first_come(claims.user_id) as connection:
            _passed(await _open(connection, claims, has_just_begun=True), claims)
            await _keep(connection, claims.session_id, refresh_token)

    async def find(self, refresh_token: str) -> Refreshable | None:
        """Return what is known of a refresh token, None for one that we have not seen."""
        row = await self._pool.fetchrow(
            """
            select
                session_id, revoked_at is not null as is_revoked,
                coalesce(used_at < clock_timestamp() - make_interval(secs => $2), false) as is_reused
            from refresh_tokens join sessions on sessions.id = session_id
            where hash = $1
            """,
            _hash(refresh_token),
            GRACE,
        )
        return Refreshable(**row) if row else None

    async def rotate(self, claims: Claims, used: str, refresh_token: str) -> None:
        """Note that a refresh token became another; raises `TokenRefused` if the session was revoked meanwhile."""
        async with self._first_come(claims.user_id) as connection:
            _passed(await _open(connection, claims), claims)
            await connection.execute(
                """
                insert into refresh_tokens (hash, session_id, used_at) values ($1, $2, clock_timestamp())
                on conflict (hash) do update set used_at = coalesce(refresh_tokens.used_at, excluded.used_at)
                """,
                _hash(used),
                claims.session_id,
            )
            await _keep(connection, claims.session_id, refresh_token)
            await connection.execute(
                """
                delete from refresh_tokens
                where session_id = $1 and used_at < clock_timestamp() - make_interval(days => $2)
                """,
                claims.session_id,
                REMEMBERED,
            )

    async def revoke(self, session_id: UUID, because: str) -> dict[UUID, float]:
        """End a session for good; return it with the moment (Unix seconds), or nothing if it was over or is none."""
        rows = await self._pool.fetch(
            """
            update sessions set revoked_at = clock_timestamp(), revoked_because = $2
            where id = $1 and revoked_at is null
            returning id, extract(epoch from revoked_at)::float8 as at
            """,
            session_id,
            because,
        )
        return {row["id"]: row["at"] for row in rows}

    async def revoke_all(self, user_id: UUID, because: str) -> dict[UUID, float]:
        """End every session of a user that began until now, those we have not seen included; return those we have."""
        async with self._first_come(user_id) as connection:
            await connection.execute(
                """
                insert into sign_outs (user_id, at) values ($1, clock_timestamp())
                on conflict (user_id) do update set at = excluded.at
                """,
                user_id,
            )
            rows = await connection.fetch(
                """
                update sessions set revoked_at = clock_timestamp(), revoked_because = $2
                where user_id = $1 and revoked_at is null
                returning id, extract(epoch from revoked_at)::float8 as at
                """,
                user_id,
                because,
            )
        return {row["id"]: row["at"] for row in rows}

    @asynccontextmanager
    async def _first_come(self, user_id: UUID) -> AsyncIterator[PoolConnectionProxy]:
        """Let nobody else open or end sessions of a user: a new one must see that all were ended, or be ended."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1, hashtext($2::text))", _LOCK, str(user_id))
            yield connection


async def _open(connection: PoolConnectionProxy, claims: Claims, *, has_just_begun: bool = False) -> asyncpg.Record:
    """Write the session down as seen now; one that began before the user signed out everywhere is over at once."""
    [row] = await connection.fetch(
        """
        insert into sessions (id, user_id, expires_at, revoked_at, revoked_because)
        select $1, $2, to_timestamp($3), over, case when over is not null then 'logout-all-devices' end
        from (select (select at from sign_outs where user_id = $2 and at >= to_timestamp($4) and not $5) as over) as it
        on conflict (id) do update set
            seen_at = excluded.seen_at, expires_at = greatest(sessions.expires_at, excluded.expires_at)
        returning user_id, revoked_at, extract(epoch from clock_timestamp())::float8 as checked_at
        """,
        claims.session_id,
        claims.user_id,
        claims.expires_at,
        claims.began_at,
        has_just_begun,
    )
    return row


async def _keep(connection: PoolConnectionProxy, session_id: UUID, refresh_token: str) -> None:
    await connection.execute(
        "insert into refresh_tokens (hash, session_id) values ($1, $2) on conflict do nothing",
        _hash(refresh_token),
        session_id,
    )


def _passed(row: asyncpg.Record, claims: Claims) -> Session:
    if row["revoked_at"] is not None or row["user_id"] != claims.user_id:
        raise TokenRefused
    return Session(claims.user_id, claims.session_id, claims.expires_at, row["checked_at"])


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
