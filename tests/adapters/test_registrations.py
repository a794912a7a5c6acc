"""Registrations: an e-mail is held by one command at a time, and an abandoned one is finished by whoever comes next."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from adapters.emails import email_hmac
from adapters.registrations import PostgresRegistrations
from commands.ports import Account
from domain.errors import IdentityUnavailable, RegistrationInProgress, Unavailable
from eventstore.connections import APP, create_pool

KEY = b"k" * 32
EMAIL = "ada@example.org"


class Provider:
    """Accounts kept in memory; like the real ones, they may be away."""

    def __init__(self) -> None:
        self.users: set[UUID] = set()
        self.deleted: list[UUID] = []
        self.away = False
        self.gates: list[asyncio.Event] = []
        """Each holds one deletion up until it is set."""
        self.reached = asyncio.Event()

    async def create(self, account: Account, password: str) -> None:
        del password
        self.users.add(account.user_id)

    async def delete(self, user_id: UUID) -> None:
        if self.away:
            raise IdentityUnavailable
        if self.gates:
            self.reached.set()
            await self.gates.pop().wait()
        self.users.discard(user_id)
        self.deleted.append(user_id)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await create_pool(database, APP, size=10)
    yield opened
    await opened.close()


@pytest.fixture
def registrations(pool: asyncpg.Pool, provider: Provider) -> PostgresRegistrations:
    return PostgresRegistrations(pool, KEY, provider)


async def age(pool: asyncpg.Pool, seconds: int) -> None:
    """Make every claim older."""
    await pool.execute("update registrations set claimed_at = claimed_at - make_interval(secs => $1)", seconds)


async def begin_stream(database: str, user_id: UUID) -> None:
    """Put the first event of a user into the log, as far as registrations look at it."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        """
        insert into events (format, position, part, stream, version, event_id, type, schema, subject, command_id,
            causation_id, correlation_id, actor, occurred_at, recorded_at, data)
        select 1, coalesce(max(position), 0) + 1, 0, $1, 1, gen_random_uuid(), 'UserRegistered', 1, $2, $2, $2, $2, $2,
            now(), now(), '{}'
        from events
        """,
        f"user-{user_id}",
        user_id,
    )
    await connection.close()


async def test_a_free_e_mail_is_claimed_with_the_given_id(registrations: PostgresRegistrations) -> None:
    user = uuid4()

    assert await registrations.claim(EMAIL, uuid4(), user) == user


async def test_a_repeat_of_the_command_gets_the_first_id(registrations: PostgresRegistrations) -> None:
    command, user = uuid4(), uuid4()
    await registrations.claim(EMAIL, command, user)

    assert await registrations.claim(EMAIL, command, uuid4()) == user


@pytest.mark.parametrize("spelling", [EMAIL, " ADA@Example.ORG\t"])
async def test_another_command_waits_while_an_e_mail_is_held_however_it_is_spelled(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, spelling: str
) -> None:
    await registrations.claim(EMAIL, uuid4(), uuid4())
    await age(pool, 55)

    with pytest.raises(RegistrationInProgress):
        await registrations.claim(spelling, uuid4(), uuid4())


async def test_two_spellings_of_one_letter_are_one_e_mail(registrations: PostgresRegistrations) -> None:
    await registrations.claim("ren\u00e9@example.org", uuid4(), uuid4())

    with pytest.raises(RegistrationInProgress):
        await registrations.claim("rene\u0301@example.org", uuid4(), uuid4())


async def test_one_id_cannot_hold_two_e_mails(registrations: PostgresRegistrations) -> None:
    user = uuid4()
    await registrations.claim(EMAIL, uuid4(), user)

    with pytest.raises(RegistrationInProgress):
        await registrations.claim("ben@example.org", uuid4(), user)


async def test_nobody_settles_the_claim_of_another_command(registrations: PostgresRegistrations) -> None:
    user = uuid4()
    await registrations.claim(EMAIL, uuid4(), user)

    await registrations.settle(uuid4(), user)

    with pytest.raises(RegistrationInProgress):
        await registrations.claim(EMAIL, uuid4(), uuid4())


async def test_a_settled_e_mail_is_free(registrations: PostgresRegistrations) -> None:
    command, first, second = uuid4(), uuid4(), uuid4()
    await registrations.claim(EMAIL, command, first)

    await registrations.settle(command, first)
    await registrations.settle(command, first)

    assert await registrations.claim(EMAIL, uuid4(), second) == second


async def test_of_many_commands_at_once_one_gets_the_e_mail(registrations: PostgresRegistrations) -> None:
    claims = [registrations.claim(EMAIL, uuid4(), uuid4()) for _ in range(20)]

    outcomes = await asyncio.gather(*claims, return_exceptions=True)

    assert sum(isinstance(outcome, UUID) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RegistrationInProgress) for outcome in outcomes) == 19


async def test_many_repeats_at_once_get_one_id(registrations: PostgresRegistrations) -> None:
    command = uuid4()

    users = await asyncio.gather(*(registrations.claim(EMAIL, command, uuid4()) for _ in range(20)))

    assert len(set(users)) == 1


async def test_an_abandoned_e_mail_is_taken_over_and_its_half_made_account_removed(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    old, new = uuid4(), uuid4()
    await registrations.claim(EMAIL, uuid4(), old)
    await provider.create(Account(user_id=old, email=EMAIL), "correct horse")
    await age(pool, 61)

    assert await registrations.claim(EMAIL, uuid4(), new) == new
    assert provider.users == set()


async def test_an_abandoned_e_mail_whose_user_is_in_the_log_keeps_its_account(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider, database: str
) -> None:
    old, new = uuid4(), uuid4()
    await registrations.claim(EMAIL, uuid4(), old)
    await provider.create(Account(user_id=old, email=EMAIL), "correct horse")
    await begin_stream(database, old)
    await age(pool, 61)

    assert await registrations.claim(EMAIL, uuid4(), new) == new
    assert provider.users == {old}


async def test_a_repeat_takes_up_its_own_abandoned_claim(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    command, user = uuid4(), uuid4()
    await registrations.claim(EMAIL, command, user)
    await age(pool, 61)

    assert await registrations.claim(EMAIL, command, uuid4()) == user
    assert await registrations.sweep() == 0
    assert provider.deleted == []


async def test_an_abandoned_e_mail_is_taken_over_by_one_of_many(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    old = uuid4()
    await registrations.claim(EMAIL, uuid4(), old)
    await age(pool, 61)

    claims = [registrations.claim(EMAIL, uuid4(), uuid4()) for _ in range(20)]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)

    assert sum(isinstance(outcome, UUID) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, RegistrationInProgress) for outcome in outcomes) == 19
    assert provider.deleted == [old]


async def test_a_take_over_waits_for_the_provider_and_succeeds_later(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    old, new = uuid4(), uuid4()
    await registrations.claim(EMAIL, uuid4(), old)
    await age(pool, 61)

    provider.away = True
    with pytest.raises(IdentityUnavailable):
        await registrations.claim(EMAIL, uuid4(), new)
    with pytest.raises(RegistrationInProgress):
        await registrations.claim(EMAIL, uuid4(), new)

    provider.away = False
    await age(pool, 61)
    assert await registrations.claim(EMAIL, uuid4(), new) == new
    assert provider.deleted == [old]


async def test_the_command_that_was_taken_over_does_not_get_the_e_mail_back(
    registrations: PostgresRegistrations, pool: asyncpg.Pool
) -> None:
    slow = uuid4()
    await registrations.claim(EMAIL, slow, uuid4())
    await age(pool, 61)
    await registrations.claim(EMAIL, uuid4(), uuid4())

    with pytest.raises(RegistrationInProgress):
        await registrations.claim(EMAIL, slow, uuid4())


async def test_a_sweep_finishes_abandoned_claims_and_leaves_young_ones(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider, database: str
) -> None:
    half_made, complete, young = uuid4(), uuid4(), uuid4()
    await registrations.claim("half@example.org", uuid4(), half_made)
    await registrations.claim("whole@example.org", uuid4(), complete)
    await begin_stream(database, complete)
    await age(pool, 61)
    await registrations.claim("young@example.org", uuid4(), young)

    assert await registrations.sweep() == 2
    assert await registrations.sweep() == 0

    assert provider.deleted == [half_made]
    assert [row["user_id"] for row in await pool.fetch("select user_id from registrations")] == [young]


async def test_sweeps_at_the_same_time_finish_each_claim_once(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    users = [uuid4() for _ in range(12)]
    for number, user in enumerate(users):
        await registrations.claim(f"child-{number}@example.org", uuid4(), user)
    await age(pool, 61)

    counts = await asyncio.gather(*(registrations.sweep() for _ in range(4)))
    counts.append(await registrations.sweep())

    assert sum(counts) == 12
    assert sorted(provider.deleted) == sorted(users)


async def test_a_finisher_that_overslept_does_not_free_what_was_claimed_anew(
    registrations: PostgresRegistrations, pool: asyncpg.Pool, provider: Provider
) -> None:
    command, user = uuid4(), uuid4()
    await registrations.claim(EMAIL, command, user)
    await age(pool, 61)
    gate = asyncio.Event()
    provider.gates.append(gate)
    asleep = asyncio.create_task(registrations.sweep())
    await provider.reached.wait()
    await age(pool, 61)
    await registrations.sweep()
    await registrations.claim(EMAIL, command, user)

    gate.set()
    await asleep

    with pytest.raises(RegistrationInProgress):
        await registrations.claim(EMAIL, uuid4(), uuid4())


async def test_an_e_mail_rests_as_a_keyed_hash_only(registrations: PostgresRegistrations, pool: asyncpg.Pool) -> None:
    await registrations.claim(EMAIL, uuid4(), uuid4())

    [row] = await pool.fetch("select * from registrations")

    assert row["email_hmac"] == email_hmac(KEY, EMAIL) != email_hmac(b"x" * 32, EMAIL)
    assert "ada" not in str(dict(row))


async def test_a_database_that_is_away_is_named_so(pool: asyncpg.Pool, registrations: PostgresRegistrations) -> None:
    await pool.close()

    for call in (
        registrations.claim(EMAIL, uuid4(), uuid4()),
        registrations.settle(uuid4(), uuid4()),
        registrations.sweep(),
    ):
        with pytest.raises(Unavailable):
            await call
