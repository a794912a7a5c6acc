"""Rotation: every person's key under a new master key, and the old one destroyed; stopped anywhere, it can go on."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from adapters.settings import Settings
from cli.key_file import SETTING, KeyFile
from cli.pool import open_pool
from cli.progress_bar import progress_bar
from eventstore.connections import KEYS
from eventstore.keys import KeyStore, MasterKeys

_ROTATING = 7002
"""Advisory lock of the one rotation that may be under way."""
_LOOK = 0.2
"""Seconds between two looks at how far the rewrapping has come."""


class RotationRefused(Exception):
    """The master key cannot be rotated; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation did."""

    version: int
    """Version of the master key that wraps every person's key now."""
    rewrapped: int
    removed: list[int]
    """Versions that were destroyed."""
    removable: list[int]
    """Versions that nothing in the database needs any more; to be removed where the key set is kept."""


async def rotate(settings: Settings, file: KeyFile | None) -> Rotation:
    """Rotate the master key in this file, or without one, wrap everything under the newest key of the settings.

    A file with several versions is a rotation that was not finished: no further version is added. Raises
    `RotationRefused`.
    """
    read = file.text if file else settings.master_keys.get_secret_value
    async with _alone(settings) as pool:
        await _check_completeness(pool, _versions(read()))
        if file and len(_versions(read())) == 1:
            file.add_version()
        *older, newest = _versions(read())
        if not older:
            raise RotationRefused(
                f"{SETTING} holds version {newest} only. Add version {newest + 1} to it for every process, start them "
                "again, then call this again."
            )
        store = KeyStore(pool, MasterKeys(read))
        rewrapped, removed = 0, None
        while removed is None:
            rewrapped += await _rewrap(pool, store, newest)
            removed = await _remove_older(pool, file, newest)
    return Rotation(version=newest, rewrapped=rewrapped, removed=removed, removable=[] if file else older)


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool that may change keys, as the only rotation under way."""
    async with open_pool(settings, KEYS, size=3) as pool, pool.acquire() as connection:
        try:
            await connection.execute("set lock_timeout = '1s'")
            await connection.execute("select pg_advisory_lock($1)", _ROTATING)
            yield pool
        except asyncpg.LockNotAvailableError:
            raise RotationRefused("Others hold the keys right now, maybe another rotation. Call this again.") from None


async def _check_completeness(pool: asyncpg.Pool, versions: Collection[int]) -> None:
    """Refuse a key set that lacks a key in use: it is not the one that the system runs with."""
    lacking = await pool.fetchval(
        "select min(master) from keys.person_keys where master <> all($1::smallint[])", list(versions)
    )
    if lacking is not None:
        raise RotationRefused(f"{SETTING} lacks version {lacking}, under which there are keys; bring it back first.")


async def _rewrap(pool: asyncpg.Pool, store: KeyStore, newest: int) -> int:
    """Wrap every key under the newest master key and return how many; show how far it has come."""
    total = await _left(pool, newest)
    rewrapping = asyncio.create_task(store.rotate())
    with progress_bar("Rewrapping keys", total) as advance:
        while not rewrapping.done():
            await asyncio.wait({rewrapping}, timeout=_LOOK)
            advance(total - await _left(pool, newest))
    return await rewrapping


async def _remove_older(pool: asyncpg.Pool, file: KeyFile | None, newest: int) -> list[int] | None:
    """Destroy the older versions in the file, or return None if a key has come up that still needs one.

    The table is locked meanwhile, so that no key can be made between the last look and the end of the old version.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("lock table keys.person_keys in share row exclusive mode")
        if await _left(connection, newest):
            return None
        return file.keep_newest() if file else []


async def _left(connection: asyncpg.Pool | asyncpg.pool.PoolConnectionProxy, newest: int) -> int:
    left: int = await connection.fetchval("select count(*) from keys.person_keys where master <> $1", newest)
    return left


def _versions(key_set: str) -> list[int]:
    """Return the versions in a key set, oldest first."""
    return sorted(map(int, json.loads(key_set)))
