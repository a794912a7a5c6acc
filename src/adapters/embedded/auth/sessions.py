"""Sessions: who is signed in, and the chain of refresh tokens of which only the last one works.

Each refresh token is derived from the one before under a secret key. So a client that lost the answer and shows the
parent of the active token within a few seconds can be given that very token again, although only hashes are kept;
anything later or older is a copy in the wrong hands, and ends the whole family.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_bytes
from uuid import UUID, uuid4

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from adapters.embedded.auth.key_file import AuthKeys
from adapters.embedded.auth.refusals import Refusal

LIFETIME = timedelta(days=90)
"""How long a session may be refreshed."""


@dataclass(frozen=True, slots=True)
class Session:
    """Someone signed in on some device."""

    id: UUID
    user_id: UUID
    created_at: datetime


class Sessions:
    """The tables of sessions and refresh tokens."""

    def __init__(self, pool: asyncpg.Pool, keys: AuthKeys, *, lock_wait: float, reuse_seconds: float) -> None:
        self._pool = pool
        self._key = keys.refresh
        self._lock_wait = f"{round(lock_wait * 1000)}ms"
        self._reuse_seconds = reuse_seconds

    async def begin(self, user_id: UUID) -> tuple[Session, str]:
        """Open a session and return it with its first refresh token."""
        token = _text(token_bytes(32))
        async with self._pool.acquire() as connection, connection.transaction():
            created_at = await connection.fetchval(
                """
                insert into auth_standin.sessions (id, user_id, not_after)
                values ($1, $2, clock_timestamp() + $3) returning created_at
                """,
                session_id := uuid4(),
                user_id,
                LIFETIME,
            )
            await connection.execute(
                "insert into auth_standin.refresh_tokens (hash, session_id) values ($1, $2)", _hash(token), session_id
            )
        return Session(session_id, user_id, created_at), token

    async def refresh(self, token: str) -> tuple[Session, str]:
        """Exchange a refresh token for the next one of its session.

        Raises the refusals `refresh_token_not_found`, `refresh_token_already_used` (and ends the family),
        `session_not_found`, `session_expired`, and `conflict` when another refresh holds the session too long.
        """
        refusal: Refusal | None = None
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await connection.execute("select set_config('lock_timeout', $1, true)", self._lock_wait)
                    session = await _lock_session(connection, _hash(token))
                    successor = self._successor(token)
                    if not await self._rotate(connection, session, _hash(token), _hash(successor)):
                        await connection.execute(
                            "update auth_standin.refresh_tokens set revoked = true where session_id = $1", session.id
                        )
                        refusal = _refused("refresh_token_already_used", "Already Used")
            except asyncpg.LockNotAvailableError:
                raise Refusal(409, "conflict", "Too many concurrent token refresh requests") from None
        if refusal is not None:  # raised only now, behind the commit that ended the family
            raise refusal
        return session, successor

    async def exists(self, session_id: UUID, user_id: UUID) -> bool:
        """Tell whether this user's session was neither closed nor outlived."""
        found = await self._pool.fetchval(
            """
            select true from auth_standin.sessions
            where id = $1 and user_id = $2 and not_after > clock_timestamp()
            """,
            session_id,
            user_id,
        )
        return found is True

    async def close(self, session_id: UUID, user_id: UUID, scope: str) -> None:
        """Sign out this session (`local`), all others of the user (`others`), or all (`global`)."""
        await self._pool.execute(
            """
            delete from auth_standin.sessions
            where user_id = $2 and case $3 when 'local' then id = $1 when 'others' then id <> $1 else true end
            """,
            session_id,
            user_id,
            scope,
        )

    async def forget_outlived(self) -> None:
        """Remove sessions that ended a day ago or longer."""
        await self._pool.execute(
            "delete from auth_standin.sessions where not_after < clock_timestamp() - interval '1 day'"
        )

    async def _rotate(self, connection: PoolConnectionProxy, session: Session, token: bytes, successor: bytes) -> bool:
        """Make the successor the active token, or find that it just became it; False for a token used up before."""
        revoked = await connection.fetchval(
            """
            update auth_standin.refresh_tokens set revoked = true, used_at = clock_timestamp()
            where hash = $1 and not revoked returning true
            """,
            token,
        )
        if revoked is not None:
            await connection.execute(
                "insert into auth_standin.refresh_tokens (hash, session_id, parent) values ($1, $2, $3)",
                successor,
                session.id,
                token,
            )
            return True
        is_parent = await connection.fetchval(
            """
            select true
            from auth_standin.refresh_tokens as active
            join auth_standin.refresh_tokens as used on used.hash = active.parent
            where active.hash = $1 and not active.revoked
                and used.used_at > clock_timestamp() - make_interval(secs => $2)
            """,
            successor,
            self._reuse_seconds,
        )
        return is_parent is True

    def _successor(self, token: str) -> str:
        return _text(hmac.digest(self._key, token.encode(), "sha256"))


async def _lock_session(connection: PoolConnectionProxy, token_hash: bytes) -> Session:
    """Find the token's session and hold it, so that refreshes of one session come one after another."""
    found = await connection.fetchrow("select session_id from auth_standin.refresh_tokens where hash = $1", token_hash)
    if found is None:
        raise _refused("refresh_token_not_found", "Refresh Token Not Found")
    row = await connection.fetchrow(
        """
        select user_id, created_at, not_after > clock_timestamp() as lives
        from auth_standin.sessions where id = $1 for update
        """,
        found["session_id"],
    )
    if row is None:
        raise _refused("session_not_found", "No Valid Session Found")
    if not row["lives"]:
        raise _refused("session_expired", "Session Expired")
    return Session(found["session_id"], row["user_id"], row["created_at"])


def _refused(code: str, reason: str) -> Refusal:
    return Refusal(400, code, f"Invalid Refresh Token: {reason}")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
