"""Keys: one a person, wrapped for that person alone; rotation may be stopped anywhere and leaves none behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TypedDict
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.errors import KeysUnusable
from domain.personal import Hidden
from eventstore import keys as keys_module
from eventstore.connections import KEYS, create_pool
from eventstore.keys import KeyMissing, KeyStore, MasterKeys
from eventstore.opening import open_personal
from eventstore.sealing import seal
from tests.eventstore.conftest import key_set

FIRST, SECOND = key_set(1), key_set(2)
BOTH = json.dumps(json.loads(FIRST) | json.loads(SECOND))


class Place(TypedDict):
    """Which event sealed bytes belong to."""

    event_id: UUID
    stream: str
    event_type: str
    schema: int


EVENT = Place(event_id=UUID(int=1), stream="user-1", event_type="UserRegistered", schema=1)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database, KEYS, size=4)
    yield opened
    await opened.close()


def a_process(pool: asyncpg.Pool, masters: str) -> KeyStore:
    """Return the keys as a process sees them that starts with these master keys."""
    return KeyStore(pool, MasterKeys(lambda: masters))


async def raw_key(store: KeyStore, person: UUID) -> bytes:
    """Return something that only this person's very key can make."""
    return (await store.key_of(person)).cipher.encrypt(bytes(12), b"", None)


async def people(store: KeyStore, count: int) -> dict[UUID, bytes]:
    """Make keys for so many people; return what tells each key."""
    ids = [uuid4() for _ in range(count)]
    for person in ids:
        await store.create(person)
    return {person: await raw_key(store, person) for person in ids}


async def versions(pool: asyncpg.Pool) -> dict[int, int]:
    """Return how many keys each master version wraps."""
    rows = await pool.fetch("select master, count(*) as keys from keys.person_keys group by master")
    return {row["master"]: row["keys"] for row in rows}


async def test_a_person_has_one_key_for_ever(pool: asyncpg.Pool) -> None:
    store, person = a_process(pool, FIRST), uuid4()
    await store.create(person)
    key = await raw_key(store, person)

    await store.create(person)

    assert await raw_key(a_process(pool, FIRST), person) == key
    assert await versions(pool) == {1: 1}


async def test_everyone_has_a_key_of_their_own(pool: asyncpg.Pool) -> None:
    keys = await people(a_process(pool, FIRST), 5)

    assert len(set(keys.values())) == 5


async def test_making_one_persons_key_at_the_same_time_makes_one_key(pool: asyncpg.Pool) -> None:
    stores, person = [a_process(pool, FIRST) for _ in range(8)], uuid4()

    await asyncio.gather(*(store.create(person) for store in stores))

    assert len({await raw_key(store, person) for store in stores}) == 1


async def test_a_person_without_a_key_is_said_to_have_none(pool: asyncpg.Pool) -> None:
    with pytest.raises(KeyMissing):
        await a_process(pool, FIRST).key_of(uuid4())


async def test_fields_of_a_person_without_a_key_read_as_erased(pool: asyncpg.Pool) -> None:
    store, person = a_process(pool, FIRST), uuid4()
    await store.create(person)
    sealed, _ = seal(await store.key_of(person), b'{"name":"Zo"}', **EVENT)
    assert await open_personal(store, person, sealed, **EVENT) == {"name": "Zo"}

    await pool.execute("delete from keys.person_keys")

    assert await open_personal(a_process(pool, FIRST), person, sealed, **EVENT) is Hidden.ERASED


async def test_what_rests_in_the_table_is_not_the_key(pool: asyncpg.Pool) -> None:
    store, person = a_process(pool, FIRST), uuid4()
    await store.create(person)

    wrapped = await pool.fetchval("select wrapped from keys.person_keys")

    assert len(wrapped) == 12 + 32 + 16
    with pytest.raises(KeysUnusable):
        await a_process(pool, key_set(1)).key_of(person)  # another master key of the same version


@pytest.mark.parametrize(
    "change",
    [
        "update keys.person_keys a set wrapped = b.wrapped from keys.person_keys b where a.key_id <> b.key_id",
        "update keys.person_keys set key_id = gen_random_uuid()",
        "update keys.person_keys set wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)",
        "update keys.person_keys set wrapped = set_byte(wrapped, 0, get_byte(wrapped, 0) # 1)",
        "update keys.person_keys set master = 2",
    ],
    ids=["swapped", "other id", "altered", "other nonce", "other version"],
)
async def test_a_wrapped_key_opens_for_its_own_person_and_row_alone(pool: asyncpg.Pool, change: str) -> None:
    keys = await people(a_process(pool, BOTH.replace('"2"', '"0"')), 2)

    await pool.execute(change)

    for person in keys:
        with pytest.raises(KeysUnusable):
            await a_process(pool, BOTH).key_of(person)


async def test_a_wrapped_key_opens_nothing_for_another_person(pool: asyncpg.Pool) -> None:
    other = uuid4()
    await people(a_process(pool, FIRST), 1)

    await pool.execute("update keys.person_keys set person_id = $1", other)

    with pytest.raises(KeysUnusable):
        await a_process(pool, FIRST).key_of(other)


async def test_a_key_is_wrapped_under_the_highest_version(pool: asyncpg.Pool) -> None:
    numbered = key_set(9, 10, 2)

    await people(a_process(pool, numbered), 1)

    assert await versions(pool) == {10: 1}


async def test_after_a_rotation_every_key_opens_with_the_new_master_key_alone(pool: asyncpg.Pool) -> None:
    keys = await people(a_process(pool, FIRST), 25)

    assert await a_process(pool, BOTH).rotate(batch=10) == 25

    without_the_old = a_process(pool, SECOND)
    assert await versions(pool) == {2: 25}
    assert {person: await raw_key(without_the_old, person) for person in keys} == keys


async def test_rotating_again_changes_nothing(pool: asyncpg.Pool) -> None:
    await people(a_process(pool, FIRST), 3)
    await a_process(pool, BOTH).rotate()
    before = await pool.fetch("select * from keys.person_keys order by key_id")

    assert await a_process(pool, BOTH).rotate() == 0
    assert await pool.fetch("select * from keys.person_keys order by key_id") == before


async def test_a_rotation_that_is_killed_leaves_every_key_open_and_goes_on_later(
    pool: asyncpg.Pool, database: str
) -> None:
    keys = await people(a_process(pool, FIRST), 40)
    other = await create_pool(database, KEYS, size=1)
    owner = await asyncpg.connect(database)
    await owner.execute(
        """
        create function die() returns trigger language plpgsql as $$
        begin
            if (select count(*) from keys.person_keys where master = 2) >= 17 then
                perform pg_terminate_backend(pg_backend_pid());
            end if;
            return new;
        end
        $$;
        grant usage on schema public to afterschool_keys;
        create trigger die before update on keys.person_keys for each row execute function die()
        """
    )

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await a_process(other, BOTH).rotate(batch=5)

    await owner.execute("drop trigger die on keys.person_keys")
    assert await versions(pool) == {1: 25, 2: 15}
    assert {person: await raw_key(half_way, person) for half_way in [a_process(pool, BOTH)] for person in keys} == keys
    assert await a_process(pool, BOTH).rotate(batch=5) == 25
    assert {person: await raw_key(done, person) for done in [a_process(pool, SECOND)] for person in keys} == keys
    await owner.close()
    other.terminate()


async def test_two_rotations_at_once_share_the_work_and_spoil_nothing(pool: asyncpg.Pool) -> None:
    keys = await people(a_process(pool, FIRST), 60)

    moved = await asyncio.gather(*(a_process(pool, BOTH).rotate(batch=7) for _ in range(3)))

    assert sum(moved) == 60
    assert await versions(pool) == {2: 60}
    assert {person: await raw_key(store, person) for store in [a_process(pool, SECOND)] for person in keys} == keys


async def test_a_rotation_without_the_old_master_key_stops_and_spoils_nothing(pool: asyncpg.Pool) -> None:
    keys = await people(a_process(pool, FIRST), 3)

    with pytest.raises(KeysUnusable):
        await a_process(pool, SECOND).rotate()

    assert {person: await raw_key(store, person) for store in [a_process(pool, FIRST)] for person in keys} == keys


async def test_a_running_process_reads_the_master_keys_again_when_it_meets_a_new_version(pool: asyncpg.Pool) -> None:
    masters = [FIRST]
    running = KeyStore(pool, MasterKeys(lambda: masters[0]))
    keys = await people(running, 2)
    fresh = KeyStore(pool, MasterKeys(lambda: masters[0]))

    masters[0] = BOTH
    await a_process(pool, BOTH).rotate()
    masters[0] = SECOND

    assert {person: await raw_key(fresh, person) for person in keys} == keys


async def test_master_keys_of_another_system_or_time_are_found_out_and_erase_nobody(pool: asyncpg.Pool) -> None:
    await a_process(pool, FIRST).check()
    [person] = await people(a_process(pool, FIRST), 1)
    foreign = key_set(1)

    for masters in (SECOND, foreign):
        with pytest.raises(KeysUnusable):
            await a_process(pool, masters).check()
        with pytest.raises(KeysUnusable):
            await a_process(pool, masters).key_of(person)
    await a_process(pool, BOTH).check()


async def test_the_master_keys_are_gone_from_a_process_once_it_reads_them_again(pool: asyncpg.Pool) -> None:
    masters = [FIRST]
    store = KeyStore(pool, MasterKeys(lambda: masters[0]))
    keys = await people(store, 1)
    fresh = KeyStore(pool, MasterKeys(lambda: masters[0]))

    masters[0] = SECOND
    await fresh.create(uuid4())

    with pytest.raises(KeysUnusable):
        await fresh.key_of(next(iter(keys)))


async def test_memory_holds_a_bounded_number_of_keys(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "_KEPT", 2)
    store = a_process(pool, FIRST)
    first, second, third = await people(store, 3)
    await store.key_of(second)
    await store.key_of(third)
    await store.key_of(second)

    await store.key_of(first)

    assert list(store._cache) == [second, first]
