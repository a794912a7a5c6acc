"""Erasure across log, ledger, keys, accounts, sessions and cache: complete, wherever it is cut off or restored."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.cache import Cache
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.erasure_ledger import FileLedger
from adapters.erasures import PostgresErasures
from adapters.identity import SupabaseIdentity
from adapters.sessions import Sessions
from adapters.tokens import Claims
from commands.erase_user import EraseUser, erase_user
from commands.finish_erasure import ErasurePorts, finish_erasure, reapply_ledger
from commands.ports import Account, History
from commands.publish_question import PublishQuestion, publish_question
from commands.record_progress import RecordProgress, record_progress
from domain.cause import HOUSEKEEPER
from domain.errors import CredentialsWrong, NotAllowed, TokenRefused, Unavailable, UserUnknown
from domain.profile import Profile
from domain.user import User
from eventstore.keys import KeyMissing
from projections.cache import Lease
from projections.progress_summary import cache_key
from tests.domain.people import allow_learning
from tests.domain.questions import number
from tests.eventstore.conftest import Store, a_cause, close_store, key_set, open_store
from workers.erasing import finish_erasures

EMAIL, PASSWORD = "ada@example.org", "correct horse"
MASTERS, FINGERPRINTS = key_set(1), key_set(1)
STEPS = ("ledger", "keys", "accounts", "devices", "values", "erasures")


class Crashed(Exception):
    """The process ended here."""


@dataclass
class House:
    """One database with everything that an erasure touches."""

    store: Store
    cache: Cache
    ports: ErasurePorts

    async def move_in(self) -> UUID:
        """Let a student have an account, a key, a consent, a session, and a summary in Redis."""
        person_id = uuid4()
        await self.ports.accounts.create(Account(user_id=person_id, email=EMAIL), PASSWORD)
        await self.store.keys.create(person_id)

        async def decide(history: History) -> None:
            profile = Profile(name="Ada", grade_level=3, learning_preferences=())
            student = User.register(person_id, "student", EMAIL, profile, datetime.now(UTC))
            allow_learning(student, datetime.now(UTC))
            history.save(student)

        await self.store.log.execute(a_cause(person_id), decide)
        await Sessions(self.store.pool).open(claims_of(person_id))
        lease = await self.cache.lease(cache_key(person_id))
        assert isinstance(lease, Lease)
        await self.cache.fill(
            cache_key(person_id), lease, b"{}", position=1, expires_at=datetime.max.replace(tzinfo=UTC)
        )
        return person_id

    async def erase(self, person_id: UUID) -> None:
        cause = a_cause(HOUSEKEEPER)
        await erase_user(self.store.log, EraseUser(cause=cause, user_id=person_id))

    async def assert_is_gone(self, person_id: UUID, identity: SupabaseIdentity) -> None:
        """Look everywhere."""
        assert self.ports.ledger
        assert list(await self.ports.ledger.read()) == [person_id]
        with pytest.raises(KeyMissing):
            await self.store.keys.key_of(person_id)
        with pytest.raises(CredentialsWrong):
            await identity.login(EMAIL, PASSWORD)
        with pytest.raises(TokenRefused):
            await Sessions(self.store.pool).open(claims_of(person_id))
        assert await self.cache.get(cache_key(person_id)) is None
        assert await self.ports.erasures.unfinished(0, 10) == []


def claims_of(person_id: UUID) -> Claims:
    now = int(datetime.now(UTC).timestamp())
    return Claims(user_id=person_id, session_id=person_id, expires_at=now + 3600, began_at=now - 60)


@asynccontextmanager
async def open_house(database: str, redis_url: str, ledger: Path, identity: SupabaseIdentity) -> AsyncIterator[House]:
    store = await open_store(database, MASTERS, FINGERPRINTS)
    cache = Cache(redis_url, timeout=5.0)
    ports = ErasurePorts(
        log=store.log,
        erasures=PostgresErasures(store.pool),
        ledger=FileLedger(ledger),
        keys=store.keys,
        accounts=identity,
        devices=Sessions(store.pool),
        values=cache,
    )
    assert ports.ledger
    await ports.ledger.begin()
    yield House(store, cache, ports)
    await cache.close()
    await close_store(store)


@pytest.fixture
async def house(database: str, valkey: str, tmp_path: Path, identity: SupabaseIdentity) -> AsyncIterator[House]:
    async with open_house(database, valkey, tmp_path / "erasures.jsonl", identity) as opened:
        yield opened


class Cut:
    """A port whose process ends before or after its first call."""

    def __init__(self, port: object, error: Callable[[], Exception], *, after: bool) -> None:
        self._port, self._error, self._after = port, error, after

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the port offers
        async def call(*arguments: object) -> object:
            if name in {"unfinished", "forgotten", "nobody_yet"}:
                return await getattr(self._port, name)(*arguments)
            if self._after:
                await getattr(self._port, name)(*arguments)
            raise self._error()

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_what_was_cut_off_anywhere_is_finished_by_the_next(
    house: House, identity: SupabaseIdentity, step: str, *, after: bool
) -> None:
    person_id = await house.move_in()
    await house.erase(person_id)
    cut = replace(house.ports, **{step: Cut(getattr(house.ports, step), Crashed, after=after)})
    [erasure] = await house.ports.erasures.unfinished(0, 10)
    with pytest.raises(Crashed):
        await finish_erasure(cut, erasure)

    assert await finish_erasures(house.ports) in {0, erasure.position}

    await house.assert_is_gone(person_id, identity)


async def test_whoever_cannot_be_finished_now_holds_nobody_up(house: House, identity: SupabaseIdentity) -> None:
    first = uuid4()
    await house.store.keys.create(first)

    async def decide(history: History) -> None:
        profile = Profile(name="Ben", grade_level=None, learning_preferences=())
        history.save(User.register(first, "parent", "ben@example.org", profile, datetime.now(UTC)))

    await house.store.log.execute(a_cause(first), decide)
    second = await house.move_in()
    await house.erase(first)
    await house.erase(second)

    class Picky:
        async def delete(self, user_id: UUID) -> None:
            if user_id == first:
                raise Unavailable
            await identity.delete(user_id)

    done_up_to = await finish_erasures(replace(house.ports, accounts=Picky()))  # type: ignore[arg-type]

    assert done_up_to == 0
    assert [waiting.person_id for waiting in await house.ports.erasures.unfinished(0, 10)] == [first]
    with pytest.raises(CredentialsWrong):
        await identity.login(EMAIL, PASSWORD)
    assert await finish_erasures(house.ports, done_up_to) > 0
    assert await house.ports.erasures.unfinished(0, 10) == []


async def test_no_command_finds_whoever_was_erased(house: House) -> None:
    person_id = await house.move_in()
    await house.erase(person_id)

    report = RecordProgress(
        cause=a_cause(person_id),
        student_id=person_id,
        subject="math",
        topic="fractions",
        score=1,
        time_spent=1,
        completed=True,
    )
    with pytest.raises(UserUnknown):
        await record_progress(house.store.log, report)
    with pytest.raises(NotAllowed):
        await house.erase(person_id)
    assert [record.type for record in await house.store.reader.read(0)] == [
        "UserRegistered", "ConsentGranted", "UserErased"
    ]  # fmt: skip


async def test_an_erasure_is_repeated_by_its_command_id(house: House) -> None:
    person_id = await house.move_in()
    command = EraseUser(cause=a_cause(HOUSEKEEPER), user_id=person_id)

    first, again = await erase_user(house.store.log, command), await erase_user(house.store.log, command)

    assert (again.first, again.repeated) == (first.first, True)


async def test_a_restored_backup_brings_nobody_back(
    database: str, postgres: EmbeddedPostgres, valkey: str, tmp_path: Path, identity: SupabaseIdentity
) -> None:
    ledger, copy = tmp_path / "erasures.jsonl", f"copy_{uuid4().hex}"
    async with open_house(database, valkey, ledger, identity) as house:
        person_id, neighbour = await house.move_in(), uuid4()
    owner, name = await asyncpg.connect(postgres.url), database.rpartition("/")[2]
    await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    await owner.execute(f"create database {copy} template {name}")
    async with open_house(database, valkey, ledger, identity) as house:
        await house.erase(person_id)
        await finish_erasures(house.ports)

    async with open_house(f"{database.rpartition('/')[0]}/{copy}", valkey, ledger, identity) as house:
        assert (await house.store.keys.key_of(person_id)).key_id
        assert await reapply_ledger(house.ports) == 1

        await house.assert_is_gone(person_id, identity)
        [erased] = await house.store.reader.read(2)
        assert (erased.type, erased.actor, erased.data) == ("UserErased", HOUSEKEEPER, '{"reason":"restored"}')
        assert await reapply_ledger(house.ports) == 0
        await house.ports.ledger.add(neighbour, date(2026, 1, 1))  # type: ignore[union-attr]
        assert await reapply_ledger(house.ports) == 0, "nothing is known of them here"
    await owner.execute(f"drop database {copy} with (force)")
    await owner.close()


async def test_questions_before_the_first_person_make_no_lost_ledger_of_a_new_one(house: House, tmp_path: Path) -> None:
    await publish_question(house.store.log, PublishQuestion(cause=a_cause(), question=number("5")))
    ledger = tmp_path / "erasures.jsonl"
    ledger.unlink()

    assert await reapply_ledger(house.ports) == 0
    assert ledger.exists()
