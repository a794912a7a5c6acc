"""User profile: who someone is, as the contract's UserProfile; personal columns stay sealed until they are read."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import orjson

from domain.errors import PositionAhead, UserUnknown
from domain.events import ProfileUpdated, UserErased, UserRegistered
from domain.personal import Hidden
from domain.profile import Profile
from eventstore.codec import decode, stream_of
from eventstore.fence import Reads
from eventstore.keys import KeyStore
from eventstore.opening import open_personal
from eventstore.reader import LogReader
from eventstore.record import Record
from projections.cache import Cached, Lease, Values
from projections.projection import Connection, Rows, Seen, forget

KEPT = timedelta(hours=1)
"""How long a profile stays in Redis."""


def cache_key(user_id: UUID) -> str:
    """Return the Redis key that holds the profile as JSON."""
    return f"user:{user_id}:profile"


class Update(NamedTuple):
    """What a changed profile changes in its user's row, the sealed fields exactly as their event holds them."""

    user_id: UUID
    position: int
    recorded_at: datetime
    grade_level: int | None
    timezone: str
    updated_at: datetime
    profile_event: UUID
    profile_schema: int
    profile_sealed: bytes


class Row(NamedTuple):
    """One user's clear fields, and the sealed ones as the registration and the last changed profile hold them."""

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
    profile_event: UUID | None = None
    profile_schema: int | None = None
    profile_sealed: bytes | None = None


Changes = dict[UUID, Row | Update | None]
"""By user: the row of who registers, what changes in the row of who did so before; None for whoever was erased."""


def fold(events: Iterable[Seen], onto: Changes | None = None) -> Changes:
    """Fold events, in position order, into what changes; into what earlier events changed, if there are any."""
    changes: Changes = {} if onto is None else onto
    for event, record in events:
        match event:
            case UserRegistered():
                changes[event.originator_id] = _registered(event, record)
            case ProfileUpdated():
                update, known = _updated(event, record), changes.get(event.originator_id)
                changes[event.originator_id] = known._replace(**update._asdict()) if known else update
            case UserErased():
                changes[event.originator_id] = None
            case _:
                pass
    return changes


def _registered(event: UserRegistered, record: Record) -> Row:
    return Row(
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


def _updated(event: ProfileUpdated, record: Record) -> Update:
    return Update(
        user_id=event.originator_id,
        position=record.position,
        recorded_at=record.recorded_at,
        grade_level=event.grade_level,
        timezone=event.timezone,
        updated_at=record.recorded_at,
        profile_event=record.event_id,
        profile_schema=record.schema,
        profile_sealed=record.sealed or b"",
    )


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
    category = None
    tables = ("user_profile",)
    handles: ClassVar[frozenset[str]] = frozenset({UserRegistered.TOPIC, ProfileUpdated.TOPIC, UserErased.TOPIC})

    def fold(self, events: Iterable[Seen], onto: Changes | None = None) -> Changes:
        """Return the rows that come, and what changes in others."""
        return fold(events, onto)

    def rows(self, changes: Changes) -> dict[str, list[Row]]:
        """Return the rows; of who was erased there is none."""
        return {"user_profile": [row for row in changes.values() if isinstance(row, Row)]}

    async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
        """Insert the rows, and change or delete those that are there."""
        erased = [user for user, change in changes.items() if change is None]
        await forget(connection, self.tables, "user_id", generation, erased)
        if rows := self.rows(changes)["user_profile"]:
            await connection.execute(_insert(generation), *zip(*rows, strict=True))
        if updates := [update for update in changes.values() if isinstance(update, Update)]:
            await connection.execute(_update(generation), *zip(*updates, strict=True))

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


@cache
def _insert(generation: int) -> str:
    return _INSERT.format(generation=generation, columns=", ".join(Row._fields))


@cache
def _update(generation: int) -> str:
    return _UPDATE.format(generation=generation)


_INSERT = """
insert into read.user_profile_g{generation} ({columns})
select * from unnest(
    $1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::smallint[], $6::text[], $7::timestamptz[],
    $8::timestamptz[], $9::text[], $10::uuid[], $11::smallint[], $12::bytea[], $13::uuid[], $14::smallint[],
    $15::bytea[]
)
"""

_UPDATE = """
update read.user_profile_g{generation} as t
set position = new.position, recorded_at = new.recorded_at, grade_level = new.grade_level, timezone = new.timezone,
    updated_at = new.updated_at, profile_event = new.profile_event, profile_schema = new.profile_schema,
    profile_sealed = new.profile_sealed
from unnest(
    $1::uuid[], $2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::timestamptz[], $7::uuid[],
    $8::smallint[], $9::bytea[]
) as new(
    user_id, position, recorded_at, grade_level, timezone, updated_at, profile_event, profile_schema, profile_sealed
)
where t.user_id = new.user_id
"""

_SELECT = f"select {', '.join(Row._fields)} from read.user_profile where user_id = $1"  # noqa: S608  fixed words


class Shown(NamedTuple):
    """A profile, the JSON in which it is shown, and the tag that stands for these very bytes."""

    profile: Profile
    body: bytes

    @property
    def tag(self) -> str:
        """Return the tag by which a change says what it was decided on."""
        return tag_of(self.body)


def tag_of(body: bytes) -> str:
    """Return what stands for these bytes: other bytes have another tag."""
    return sha256(body).hexdigest()[:32]


class GetUserProfile:
    """Answers with a user's profile from Redis, else from its row, else, not yet projected, from the log."""

    def __init__(self, rows: Reads, reader: LogReader, keys: KeyStore, cache: Values) -> None:
        self._rows = rows
        self._reader = reader
        self._keys = keys
        self._cache = cache

    async def __call__(self, user_id: UUID, now: datetime) -> bytes:
        """Return the UserProfile as JSON; raises `UserUnknown`, also for someone who was erased."""
        key = cache_key(user_id)
        found = await self._cache.lease(key)
        if isinstance(found, Cached):
            return found.value
        stored = await self._rows.fetchrow(_SELECT, user_id)
        row = Row(*stored) if stored else await self._fold(user_id)
        body = (await self._open(row)).body
        if isinstance(found, Lease):
            await self._cache.fill(key, found, body, position=row.position, expires_at=now + KEPT)
        return body

    async def at_least(self, user_id: UUID, min_position: int) -> bytes:
        """Return a profile that holds the user's events up to `min_position`, from the log, which never lags.

        Raises `PositionAhead` for a position that the log has not reached, and `UserUnknown`.
        """
        if min_position > await self._reader.head():
            raise PositionAhead
        return (await self.at(user_id)).body

    async def at(self, user_id: UUID, version: int | None = None) -> Shown:
        """Return the profile as the log has it, now or up to a version of the user's stream; raises `UserUnknown`."""
        return await self._open(await self._fold(user_id, version))

    async def _fold(self, user_id: UUID, version: int | None = None) -> Row:
        stream = stream_of("user", user_id)
        records = [
            await self._reader.last(stream, UserRegistered.TOPIC, up_to=1),
            await self._reader.last(stream, ProfileUpdated.TOPIC, up_to=version),
        ]
        row = fold(Seen(decode(record), record) for record in records if record).get(user_id)
        if not isinstance(row, Row):
            raise UserUnknown
        return row

    async def _open(self, row: Row) -> Shown:
        """Open what is sealed; raises `UserUnknown` where the key is gone."""
        personal = await self._open_one(row.user_id, row.sealed, row.sealed_event, row.sealed_in, row.sealed_schema)
        if row.profile_sealed and row.profile_event and row.profile_schema:
            personal |= await self._open_one(
                row.user_id, row.profile_sealed, row.profile_event, ProfileUpdated.TOPIC, row.profile_schema
            )
        profile = Profile(
            name=personal["name"],
            grade_level=row.grade_level,
            learning_preferences=tuple(personal["learning_preferences"]),
            timezone=row.timezone,
        )
        return Shown(profile, render(row, personal))

    async def _open_one(
        self, user_id: UUID, sealed: bytes, event_id: UUID, event_type: str, schema: int
    ) -> dict[str, Any]:
        personal = await open_personal(
            self._keys,
            user_id,
            sealed,
            event_id=event_id,
            stream=stream_of("user", user_id),
            event_type=event_type,
            schema=schema,
        )
        if isinstance(personal, Hidden):
            raise UserUnknown
        return personal
