"""Keys: one key a person, wrapped under the newest master key, in a table of its own with a role of its own.

Erasing a person destroys their row; rotating the master key rewraps every row, after which the old version may go.
"""

import json
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from os import urandom
from uuid import UUID, uuid4

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import KeysUnusable
from eventstore.sealing import PersonKey

_NONCE = 12
_KEPT = 10_000
"""Unwrapped keys held in memory; the least recently used leaves first."""
_TRUSTED = 60.0
"""Seconds after which a key in memory is asked for again: so long may a process open what was erased by another."""


class KeyMissing(LookupError):
    """This person has no key: never made, or destroyed by erasure."""


class MasterKeys:
    """The versioned master keys; the highest version wraps, older ones still unwrap."""

    def __init__(self, read: Callable[[], str]) -> None:
        """Take a function that returns the key set's JSON, asked again when an unknown version turns up."""
        self._read = read
        self._ciphers: dict[int, AESGCM] = {}
        self.reload()

    def reload(self) -> None:
        """Read the key set again."""
        keys: dict[str, str] = json.loads(self._read())
        self._ciphers = {int(version): AESGCM(b64decode(key)) for version, key in keys.items()}

    @property
    def newest(self) -> int:
        """Version that wraps."""
        return max(self._ciphers)

    def wrap(self, key: bytes, key_id: UUID, person_id: UUID) -> tuple[int, bytes]:
        """Return the version used and the wrapped key, which unwraps only for this person and id."""
        version, nonce = self.newest, urandom(_NONCE)
        return version, nonce + self._ciphers[version].encrypt(nonce, key, _bound(version, key_id, person_id))

    def unwrap(self, version: int, wrapped: bytes, key_id: UUID, person_id: UUID) -> bytes:
        """Return the key; raises `KeysUnusable` where the master key's version is gone or is another one."""
        if version not in self._ciphers:
            self.reload()
        if version not in self._ciphers:
            raise KeysUnusable
        bound = _bound(version, key_id, person_id)
        try:
            return self._ciphers[version].decrypt(wrapped[:_NONCE], wrapped[_NONCE:], bound)
        except InvalidTag:
            raise KeysUnusable from None


def _bound(version: int, key_id: UUID, person_id: UUID) -> bytes:
    return version.to_bytes(2, "big") + key_id.bytes + person_id.bytes


class KeyStore:
    """The table of wrapped keys, behind a small cache. The pool acts as `afterschool_keys`."""

    def __init__(self, pool: asyncpg.Pool, masters: MasterKeys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._masters = masters
        self._clock = clock
        self._cache: OrderedDict[UUID, tuple[PersonKey, float]] = OrderedDict()

    async def create(self, person_id: UUID) -> None:
        """Make this person's key; a second call changes nothing."""
        key_id = uuid4()
        async with self._pool.acquire() as connection, connection.transaction():
            # A rotation locks the table before it destroys a version: what is read behind this lock stays in force.
            await connection.execute("lock table keys.person_keys in row exclusive mode")
            self._masters.reload()
            version, wrapped = self._masters.wrap(AESGCM.generate_key(256), key_id, person_id)
            await connection.execute(
                """
                insert into keys.person_keys (key_id, person_id, master, wrapped) values ($1, $2, $3, $4)
                on conflict (person_id) do nothing
                """,
                key_id,
                person_id,
                version,
                wrapped,
            )

    async def key_of(self, person_id: UUID) -> PersonKey:
        """Return this person's key; raises `KeyMissing`."""
        key, until = self._cache.pop(person_id, (None, 0.0))
        now = self._clock()
        if key is None or until < now:
            until = now + _TRUSTED
            try:
                key = await self._read(person_id)
            except KeysUnusable:
                key = await self._read(person_id)  # a rotation may have rewrapped it between the row and the master key
        self._cache[person_id] = key, until
        if len(self._cache) > _KEPT:
            self._cache.popitem(last=False)
        return key

    async def check(self) -> None:
        """Raise `KeysUnusable` unless the master keys open what was wrapped under the oldest and the newest of them."""
        rows = await self._pool.fetch(
            """
            (select key_id, person_id, master, wrapped from keys.person_keys order by master limit 1)
            union all
            (select key_id, person_id, master, wrapped from keys.person_keys order by master desc limit 1)
            """
        )
        for row in rows:
            self._masters.unwrap(row["master"], row["wrapped"], row["key_id"], row["person_id"])

    async def destroy(self, person_id: UUID) -> None:
        """Destroy this person's key: what it sealed stays shut for good. A second call changes nothing."""
        await self._pool.execute("delete from keys.person_keys where person_id = $1", person_id)
        self._cache.pop(person_id, None)

    async def _read(self, person_id: UUID) -> PersonKey:
        row = await self._pool.fetchrow(
            "select key_id, master, wrapped from keys.person_keys where person_id = $1", person_id
        )
        if row is None:
            raise KeyMissing(person_id)
        key_id = UUID(bytes=row["key_id"].bytes)
        return PersonKey(key_id, AESGCM(self._masters.unwrap(row["master"], row["wrapped"], key_id, person_id)))

    async def rotate(self, batch: int = 1000) -> int:
        """Rewrap every key that is not under the newest master key, `batch` rows a transaction; return how many.

        May be stopped and started again at any point; afterwards no row needs an older version.
        """
        self._masters.reload()
        total = 0
        while moved := await self._rotate_some(batch):
            total += moved
        return total

    async def _rotate_some(self, batch: int) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                select key_id, person_id, master, wrapped from keys.person_keys
                where master < $1 limit $2 for update
                """,
                self._masters.newest,
                batch,
            )
            rewrapped = []
            for row in rows:
                key = self._masters.unwrap(row["master"], row["wrapped"], row["key_id"], row["person_id"])
                rewrapped.append((*self._masters.wrap(key, row["key_id"], row["person_id"]), row["key_id"]))
            await connection.executemany(
                "update keys.person_keys set master = $1, wrapped = $2 where key_id = $3", rewrapped
            )
        return len(rows)
