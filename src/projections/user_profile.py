"""User profile: who someone is, as the contract's UserProfile; personal columns stay sealed until they are read."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from domain.errors import UserUnknown
from domain.events import UserRegistered
from domain.personal import Hidden
from eventstore.codec import decode, stream_of
from eventstore.keys import KeyStore
from eventstore.opening import open_personal
from eventstore.reader import LogReader
from projections.cache import Cached, Lease, Values
from projections.projection import Connection, Rows, Seen

KEPT = timedelta(hours=1)
"""How long a profile stays in Redis."""


def cache_key(user_id: UUID) -> str:
    """Return the Redis key that holds the profile as JSON."""
    return f"user:{user_id}:profile"


class Row(NamedTuple):
    """One user's clear fields, and the sealed ones exactly as their event holds them."""

    user_id: UUID
    position: int
    recorded_at: datetime
    role: str
    grade_level: int | None
    timezone: str
    created_at: datetime
    updated_at: datetime
    sealed_in: str
    sealed_event: UUID
    sealed_schema: int
    sealed: bytes


def fold(events: Iterable[Seen]) -> list[Row]:
    """Return the row of each user who registers."""
    return [
        Row(
            user_id=event.originator_id,
            position=record.position,
            recorded_at=record.recorded_at,
            role=event.role,
            grade_level=event.grade_level,
            timezone=event.timezone,
            created_at=record.recorded_at,
            updated_at=record.recorded_at,
            sealed_in=record.type,
            sealed_event=record.event_id,
            sealed_schema=record.schema,
            sealed=record.sealed or b"",
        )
        for event, record in events
        if isinstance(event, UserRegistered)
    ]


def render(row: Row, personal: Mapping[str, object]) -> bytes:
    """Return the UserProfile as JSON."""
    return orjson.dumps(
        {
            "id": str(row.user_id),
            "email": personal["email"],
            "role": row.role,
            "profile": {
                "name": personal["name"],
                "grade_level": row.grade_level,
                "learning_preferences": personal["learning_preferences"],
                "timezone": row.timezone,
                "created_at": _moment(row.created_at),
                "updated_at": _moment(row.updated_at),
            },
        }
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class UserProfiles:
    """One row a user."""

    name = "user_profile"
    tables = ("user_profile",)
    handles: ClassVar[frozenset[str]] = frozenset({UserRegistered.TOPIC})

    def fold(self, events: Iterable[Seen], onto: list[Row] | None = None) -> list[Row]:
        """Return the rows that change."""
        return [*(onto or ()), *fold(events)]

    def rows(self, changes: list[Row]) -> dict[str, list[Row]]:
        """Return the rows."""
        return {"user_profile": changes}

    async def write(self, connection: Connection, changes: list[Row], generation: int) -> None:
        """Insert the rows."""
        if changes:
            await connection.copy_records_to_table(f"user_profile_g{generation}", schema_name="read", records=changes)

    def cache_key(self, person_id: UUID) -> str:
        """Return the key of the profile."""
        return cache_key(person_id)

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return the profile with the personal fields that Redis has, which stay sealed in the row."""
        del now
        for row in rows["user_profile"]:
            profile = orjson.loads(value)
            return render(Row(*row), {"email": profile["email"], **profile["profile"]})
        return None


class GetUserProfile:
    """Answers with a user's profile from Redis, else from its row, else, not yet projected, from the log."""

    def __init__(self, pool: asyncpg.Pool, reader: LogReader, keys: KeyStore, cache: Values) -> None:
        self._pool = pool
        self._reader = reader
        self._keys = keys
        self._cache = cache

    async def __call__(self, user_id: UUID, now: datetime) -> bytes:
        """Return the UserProfile as JSON; raises `UserUnknown`, also for someone who was erased."""
        key = cache_key(user_id)
        found = await self._cache.lease(key)
        if isinstance(found, Cached):
            return found.value
        row = await self._read(user_id)
        personal = await open_personal(
            self._keys,
            user_id,
            row.sealed,
            event_id=row.sealed_event,
            stream=stream_of("user", user_id),
            event_type=row.sealed_in,
            schema=row.sealed_schema,
        )
        if isinstance(personal, Hidden):
            raise UserUnknown
        body = render(row, personal)
        if isinstance(found, Lease):
            await self._cache.fill(key, found, body, position=row.position, expires_at=now + KEPT)
        return body

    async def _read(self, user_id: UUID) -> Row:
        stored = await self._pool.fetchrow("select * from read.user_profile where user_id = $1", user_id)
        if stored:
            return Row(*stored)
        rows = fold([Seen(decode(r), r) for r in await self._reader.stream(stream_of("user", user_id))])
        if not rows:
            raise UserUnknown
        return rows[-1]
