"""Users: the stand-in's accounts; e-mails are found by their keyed hash and rest sealed, with the metadata."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from os import urandom
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, JsonValue

from adapters.emails import email_hmac
from adapters.embedded.auth.key_file import AuthKeys
from adapters.embedded.auth.refusals import Refusal

_NONCE = 12

Metadata = dict[str, JsonValue]


class Personal(BaseModel):
    """What rests sealed."""

    model_config = ConfigDict(frozen=True)

    email: str
    app_metadata: Metadata
    user_metadata: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account, opened."""

    id: UUID
    personal: Personal
    password: str | None
    """What was kept of the password, if there is one."""
    role: str
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None
    last_sign_in_at: datetime | None
    banned_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """An account to be made."""

    id: UUID
    personal: Personal
    password: str | None
    confirmed: bool
    role: str = "authenticated"
    banned_until: datetime | None = None


def new_personal(email: str, app_metadata: Metadata, user_metadata: Metadata) -> Personal:
    """Return what rests sealed of a new account."""
    ours: Metadata = {"provider": "email", "providers": ["email"]}
    return Personal(email=email, app_metadata=merge(ours, app_metadata), user_metadata=merge({}, user_metadata))


def merge(old: Metadata, new: Metadata) -> Metadata:
    """Put new metadata over old ones; a null takes its key away."""
    return {key: value for key, value in {**old, **new}.items() if value is not None}


class Users:
    """The table of accounts."""

    def __init__(self, pool: asyncpg.Pool, keys: AuthKeys) -> None:
        self._pool = pool
        self._lookup = keys.lookup
        self._cipher = AESGCM(keys.seal)

    async def create(self, new: NewUser) -> User:
        """Make an account; raises the refusals `email_exists` and `user_already_exists` (for the id)."""
        try:
            [row] = await self._pool.fetch(
                """
                insert into auth_standin.users (id, email_hmac, sealed, password, role, confirmed_at, banned_until)
                values ($1, $2, $3, $4, $5, case when $6 then clock_timestamp() end, $7)
                returning *
                """,
                new.id,
                email_hmac(self._lookup, new.personal.email),
                self._seal(new.id, new.personal),
                new.password,
                new.role,
                new.confirmed,
                new.banned_until,
            )
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from None
        return self._open(row)

    async def find(self, user_id: UUID) -> User | None:
        """Return the account of that id."""
        row = await self._pool.fetchrow("select * from auth_standin.users where id = $1", user_id)
        return self._open(row) if row else None

    async def find_by_email(self, email: str) -> User | None:
        """Return the account of that e-mail, however it is spelled."""
        row = await self._pool.fetchrow(
            "select * from auth_standin.users where email_hmac = $1", email_hmac(self._lookup, email)
        )
        return self._open(row) if row else None

    async def page(self, page: int, per_page: int) -> tuple[list[User], int]:
        """Return one page of accounts, newest first, and how many there are."""
        rows = await self._pool.fetch(
            "select * from auth_standin.users order by created_at desc, id limit $1 offset $2",
            per_page,
            (page - 1) * per_page,
        )
        total: int = await self._pool.fetchval("select count(*) from auth_standin.users")
        return [self._open(row) for row in rows], total

    async def change(self, user_id: UUID, alter: Callable[[User], User]) -> User | None:
        """Keep what `alter` makes of an account; its sessions end if the password changed. None if there is none."""
        async with self._pool.acquire() as connection, connection.transaction():
            held = await connection.fetchrow("select * from auth_standin.users where id = $1 for update", user_id)
            if held is None:
                return None
            before = self._open(held)
            after = alter(before)
            if before.password != after.password:
                await connection.execute("delete from auth_standin.sessions where user_id = $1", user_id)
            try:
                [row] = await connection.fetch(
                    """
                    update auth_standin.users
                    set email_hmac = $2, sealed = $3, password = $4, role = $5, confirmed_at = $6, banned_until = $7,
                        updated_at = clock_timestamp()
                    where id = $1
                    returning *
                    """,
                    user_id,
                    email_hmac(self._lookup, after.personal.email),
                    self._seal(user_id, after.personal),
                    after.password,
                    after.role,
                    after.confirmed_at,
                    after.banned_until,
                )
            except asyncpg.UniqueViolationError as error:
                raise _taken(error) from None
        return self._open(row)

    async def signed_in(self, user: User) -> User:
        """Note that this user signed in just now."""
        row = await self._pool.fetchrow(
            "update auth_standin.users set last_sign_in_at = clock_timestamp() where id = $1 returning *", user.id
        )
        return self._open(row) if row else user

    async def delete(self, user_id: UUID) -> bool:
        """Remove an account with its sessions; False if there is none."""
        gone = await self._pool.fetchval("delete from auth_standin.users where id = $1 returning true", user_id)
        return gone is True

    def _seal(self, user_id: UUID, personal: Personal) -> bytes:
        nonce = urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, personal.model_dump_json().encode(), user_id.bytes)

    def _open(self, row: asyncpg.Record) -> User:
        nonce, sealed = row["sealed"][:_NONCE], row["sealed"][_NONCE:]
        return User(
            id=row["id"],
            personal=Personal.model_validate_json(self._cipher.decrypt(nonce, sealed, row["id"].bytes)),
            password=row["password"],
            role=row["role"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            confirmed_at=row["confirmed_at"],
            last_sign_in_at=row["last_sign_in_at"],
            banned_until=row["banned_until"],
        )


def _taken(error: asyncpg.UniqueViolationError) -> Refusal:
    if error.constraint_name == "users_email":
        return Refusal(422, "email_exists", "A user with this email address has already been registered")
    return Refusal(422, "user_already_exists", "A user with this id has already been registered")
