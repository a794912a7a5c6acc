"""RegisterUser across account and log: complete or undone, wherever it is cut off, and never a blocked e-mail."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.identity import SupabaseIdentity
from adapters.registrations import PostgresRegistrations
from commands.ports import Account, Accounts, Decide, Log, PersonKeys, Registrations
from commands.register_user import RegisterUser, RegistrationPorts, new_user_id, register_user
from domain.cause import Cause, Receipt
from domain.errors import CredentialsWrong, EmailTaken, InvalidValue, NotAllowed, RegistrationInProgress
from domain.profile import Profile
from domain.user import User
from eventstore.appender import Appender
from eventstore.connections import APP, KEYS, create_pool
from eventstore.fingerprints import Fingerprints
from eventstore.keys import KeyStore, MasterKeys
from eventstore.log import EventLog
from eventstore.reader import LogReader

EMAIL, PASSWORD = "ada@example.org", "correct horse"
T = TypeVar("T")
CUTS = tuple(product(("claim", "create", "key", "claim again", "append", "settle"), (False, True)))


class Crashed(Exception):
    """The process ended here."""


class CutOff:
    """Lets the ports of a registration through until the step at which the process ends."""

    def __init__(self, ports: RegistrationPorts, at: str, *, after: bool) -> None:
        self._ports = ports
        self._at = at
        self._after = after

    def ports(self) -> RegistrationPorts:
        ports = self._ports
        return RegistrationPorts(
            log=_Log(self, ports.log),
            accounts=_Accounts(self, ports.accounts),
            registrations=_Claims(self, ports.registrations),
            keys=_Keys(self, ports.keys),
        )

    async def step(self, name: str, action: Coroutine[Any, Any, T]) -> T:
        if name == self._at and not self._after:
            action.close()
            raise Crashed
        answer = await action
        if name == self._at:
            raise Crashed
        return answer


class _Log:
    def __init__(self, cut: CutOff, log: Log) -> None:
        self._cut, self._log = cut, log

    async def execute(self, cause: Cause, decide: Decide) -> Receipt:
        return await self._cut.step("append", self._log.execute(cause, decide))

    async def read_receipt(self, cause: Cause) -> Receipt | None:
        return await self._log.read_receipt(cause)


class _Accounts:
    def __init__(self, cut: CutOff, accounts: Accounts) -> None:
        self._cut, self._accounts = cut, accounts

    async def create(self, account: Account, password: str) -> None:
        await self._cut.step("create", self._accounts.create(account, password))

    async def delete(self, user_id: UUID) -> None:
        await self._accounts.delete(user_id)


class _Claims:
    def __init__(self, cut: CutOff, claims: Registrations) -> None:
        self._cut, self._claims = cut, claims
        self._name = "claim"

    async def claim(self, email: str, command_id: UUID, user_id: UUID) -> UUID:
        name, self._name = self._name, "claim again"
        return await self._cut.step(name, self._claims.claim(email, command_id, user_id))

    async def settle(self, command_id: UUID, user_id: UUID) -> None:
        await self._cut.step("settle", self._claims.settle(command_id, user_id))


class _Keys:
    def __init__(self, cut: CutOff, keys: PersonKeys) -> None:
        self._cut, self._keys = cut, keys

    async def create(self, person_id: UUID) -> None:
        await self._cut.step("key", self._keys.create(person_id))

    async def destroy(self, person_id: UUID) -> None:
        await self._keys.destroy(person_id)


def key_set() -> str:
    return json.dumps({"1": b64encode(b"k" * 32).decode()})


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database, APP, size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def ports(database: str, pool: asyncpg.Pool, identity: SupabaseIdentity) -> AsyncIterator[RegistrationPorts]:
    key_pool = await create_pool(database, KEYS, size=2)
    keys, appender = KeyStore(key_pool, MasterKeys(key_set)), Appender(database)
    await appender.start()
    log = EventLog(LogReader(pool), appender, keys, Fingerprints(key_set()))
    registrations = PostgresRegistrations(pool, b"k" * 32, identity)
    yield RegistrationPorts(log=log, accounts=identity, registrations=registrations, keys=keys)
    await appender.stop()
    await key_pool.close()


def a_registration(
    command_id: UUID | None = None, role: Literal["parent", "student"] = "parent", parent: UUID | None = None
) -> RegisterUser:
    this_id = command_id or uuid4()
    return RegisterUser(
        cause=Cause(
            command_id=this_id,
            operation="RegisterUser",
            actor=parent or new_user_id(this_id),
            occurred_at=datetime.now(UTC),
            body=b"{}",
            correlation_id=this_id,
            causation_id=this_id,
        ),
        email=EMAIL if parent is None else "child@example.org",
        password=PASSWORD,
        role=role,
        profile=Profile(name="Ada", grade_level=3 if role == "student" else None, learning_preferences=()),
        parent_id=parent,
    )


async def grow_old(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("update registrations set claimed_at = claimed_at - $1::interval", timedelta(minutes=2))
    await connection.close()


async def users(ports: RegistrationPorts) -> int:
    assert isinstance(ports.log, EventLog)
    return sum(record.type == "UserRegistered" for record in await ports.log.reader.read(0))


@pytest.mark.parametrize("cut", CUTS, ids=str)
async def test_a_repeat_completes_what_was_cut_off(
    ports: RegistrationPorts, identity: SupabaseIdentity, cut: tuple[str, bool]
) -> None:
    command = a_registration()
    with pytest.raises(Crashed):
        await register_user(CutOff(ports, cut[0], after=cut[1]).ports(), command)

    receipt = await register_user(ports, command)

    assert receipt.first == 1
    assert await users(ports) == 1
    await identity.login(EMAIL, PASSWORD)


@pytest.mark.parametrize("cut", CUTS, ids=str)
async def test_the_sweep_leaves_a_whole_user_or_none_and_a_free_email(
    ports: RegistrationPorts, database: str, identity: SupabaseIdentity, pool: asyncpg.Pool, cut: tuple[str, bool]
) -> None:
    with pytest.raises(Crashed):
        await register_user(CutOff(ports, cut[0], after=cut[1]).ports(), a_registration())

    await grow_old(database)
    await PostgresRegistrations(pool, b"k" * 32, identity).sweep()

    assert await pool.fetchval("select count(*) from registrations") == 0
    if await users(ports):
        await identity.login(EMAIL, PASSWORD)
        with pytest.raises(EmailTaken):
            await register_user(ports, a_registration())
    else:
        with pytest.raises(CredentialsWrong):
            await identity.login(EMAIL, PASSWORD)
        await register_user(ports, a_registration())
    assert await users(ports) == 1


async def test_an_email_that_is_being_registered_waits_its_turn(ports: RegistrationPorts) -> None:
    with pytest.raises(Crashed):
        await register_user(CutOff(ports, "append", after=False).ports(), a_registration())

    with pytest.raises(RegistrationInProgress):
        await register_user(ports, a_registration())


async def test_a_parents_child_is_linked_at_once_in_both_histories(ports: RegistrationPorts) -> None:
    parent = await register_user(ports, a_registration())
    parent_id = new_user_id(parent.command_id)

    child = await register_user(ports, a_registration(role="student", parent=parent_id))

    assert isinstance(ports.log, EventLog)
    child_id = new_user_id(child.command_id)
    mother, _ = await ports.log.aggregates.get(User, parent_id, fresh=True)
    daughter, _ = await ports.log.aggregates.get(User, child_id, fresh=True)
    assert mother
    assert daughter
    assert (mother.children, daughter.guardians) == (frozenset({child_id}), frozenset({parent_id}))
    assert child.last - child.first == 2


async def test_a_student_who_registers_somebody_leaves_no_account_behind(
    ports: RegistrationPorts, identity: SupabaseIdentity, pool: asyncpg.Pool
) -> None:
    student = await register_user(ports, a_registration(role="student"))

    with pytest.raises(NotAllowed):
        await register_user(ports, a_registration(role="student", parent=new_user_id(student.command_id)))

    with pytest.raises(CredentialsWrong):
        await identity.login("child@example.org", PASSWORD)
    assert await pool.fetchval("select count(*) from registrations") == 0
    assert isinstance(ports.keys, KeyStore)
    assert await ports.keys._pool.fetchval("select count(*) from keys.person_keys") == 1


async def test_a_password_that_is_refused_leaves_nothing(ports: RegistrationPorts, pool: asyncpg.Pool) -> None:
    with pytest.raises(InvalidValue):
        await register_user(ports, replace(a_registration(), password="short"))

    assert await users(ports) == 0
    assert await pool.fetchval("select count(*) from registrations") == 0
    await register_user(ports, a_registration())


class _Overtaken:
    """Claims of a try that a repeat overtakes, while somebody else asks for the same e-mail just then."""

    def __init__(self, ports: RegistrationPorts, command: RegisterUser) -> None:
        self._ports, self._command = ports, command
        self._is_first = True

    async def claim(self, email: str, command_id: UUID, user_id: UUID) -> UUID:
        if not self._is_first:
            await register_user(self._ports, self._command)
            await self._ports.registrations.claim(email, uuid4(), uuid4())
        self._is_first = False
        return await self._ports.registrations.claim(email, command_id, user_id)

    async def settle(self, command_id: UUID, user_id: UUID) -> None:
        await self._ports.registrations.settle(command_id, user_id)


async def test_a_try_that_its_own_repeat_overtook_undoes_nothing(
    ports: RegistrationPorts, identity: SupabaseIdentity
) -> None:
    command = a_registration()

    receipt = await register_user(replace(ports, registrations=_Overtaken(ports, command)), command)

    assert receipt.repeated
    assert (await identity.login(EMAIL, PASSWORD)).access_token
    assert await ports.keys.key_of(new_user_id(command.cause.command_id))  # type: ignore[attr-defined]
