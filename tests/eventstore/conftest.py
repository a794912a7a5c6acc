"""The log on a fresh database, with keys, for the tests of the event store."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from os import urandom
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.cause import Cause
from eventstore.appender import Appender
from eventstore.connections import APP, KEYS, create_pool
from eventstore.fingerprints import Fingerprints
from eventstore.keys import KeyStore, MasterKeys
from eventstore.log import EventLog
from eventstore.reader import LogReader


@dataclass
class Store:
    """The parts of one process's event store."""

    dsn: str
    pool: asyncpg.Pool
    reader: LogReader
    appender: Appender
    keys: KeyStore
    log: EventLog


def key_set(*versions: int) -> str:
    return json.dumps({str(version): b64encode(urandom(32)).decode() for version in versions})


async def open_store(dsn: str, masters: str, fingerprints: str) -> Store:
    pool = await create_pool(dsn, APP, size=5)
    keys = KeyStore(await create_pool(dsn, KEYS, size=2), MasterKeys(lambda: masters))
    reader, appender = LogReader(pool), Appender(dsn)
    await appender.start()
    return Store(dsn, pool, reader, appender, keys, EventLog(reader, appender, keys, Fingerprints(fingerprints)))


async def close_store(store: Store) -> None:
    await store.appender.stop()
    await store.keys._pool.close()
    await store.pool.close()


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database, key_set(1), key_set(1))
    yield opened
    await close_store(opened)


def a_cause(actor: UUID | None = None, *, command_id: UUID | None = None, body: bytes = b"{}") -> Cause:
    this_id = command_id or uuid4()
    return Cause(
        command_id=this_id,
        operation="Test",
        actor=actor or uuid4(),
        occurred_at=datetime.now(UTC),
        body=body,
        correlation_id=this_id,
        causation_id=this_id,
    )
