"""Practice under consent: each report names the consent it stands under, and none stands where there is none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from commands.grant_consent import GrantConsent, grant_consent, new_consent_id
from commands.ports import History
from commands.record_progress import RecordProgress, record_progress
from commands.withdraw_consent import WithdrawConsent, withdraw_consent
from domain.cause import Cause, Receipt
from domain.consent import POLICY, Terms
from domain.errors import ConsentRequired
from domain.events import ConsentGranted, ConsentWithdrawn, ProgressRecorded, Scope
from domain.user import User
from eventstore.appender import Appender
from eventstore.codec import decode
from eventstore.fingerprints import Fingerprints
from eventstore.log import EventLog, _History
from tests.eventstore.conftest import Store, a_cause, key_set
from tests.eventstore.test_log import practise, register

FINGERPRINTS = key_set(1)
RACES = 8
"""How often consent begins and, while many report, ends again."""


@dataclass
class Family:
    """A child and the guardian who allows things and ends that, in whichever process."""

    log: EventLog
    child: UUID
    parent: UUID

    async def grant(self, *scopes: Scope) -> UUID:
        """Consent, and return the consent's id."""
        cause = a_cause(self.parent)
        terms = Terms(policy_version=POLICY, scopes=scopes or ("learning",), country="IT")
        await grant_consent(self.log, GrantConsent(cause=cause, student_id=self.child, terms=terms))
        return new_consent_id(cause.command_id)

    async def withdraw(self, consent_id: UUID) -> Receipt:
        """End a consent."""
        command = WithdrawConsent(cause=a_cause(self.parent), student_id=self.child, consent_id=consent_id)
        return await withdraw_consent(self.log, command)


@pytest.fixture
async def family(store: Store) -> Family:
    """Return a parent and their child, linked, with no consent so far."""
    child_id, parent_id = await register(store, allowed=False), await register(store, "parent")

    async def link(history: History) -> None:
        child, parent = await history.load(User, child_id), await history.load(User, parent_id)
        assert child
        assert parent
        parent.link_child(child, a_cause().occurred_at)
        history.save(parent, child)

    await store.log.execute(a_cause(parent_id), link)
    return Family(store.log, child_id, parent_id)


@pytest.fixture
async def processes(store: Store) -> AsyncIterator[list[EventLog]]:
    """Return the log as four other processes have it: each with its own memory and its own writer."""
    appenders = [Appender(store.dsn) for _ in range(4)]
    for appender in appenders:
        await appender.start()
    yield [EventLog(store.reader, appender, store.keys, Fingerprints(FINGERPRINTS)) for appender in appenders]
    for appender in appenders:
        await appender.stop()


def a_report(child: UUID, cause: Cause | None = None) -> RecordProgress:
    return RecordProgress(
        cause=cause or a_cause(child),
        student_id=child,
        subject="math",
        topic="fractions",
        score=8_725,
        time_spent=640,
        completed=True,
    )


async def consents_of_practice(store: Store, child: UUID) -> list[UUID | None]:
    """Return what each report of a child is stored under."""
    return [record.consent_id for record in await store.reader.stream(f"practice-{child}")]


async def test_a_report_is_stored_with_the_consent_it_was_accepted_under(store: Store, family: Family) -> None:
    first = await family.grant()
    await practise(store, family.child)
    second = await family.grant("learning", "research")
    await practise(store, family.child)
    await family.withdraw(second)
    await practise(store, family.child)

    assert await consents_of_practice(store, family.child) == [first, second, first]


async def test_only_what_needs_a_consent_names_one(store: Store, family: Family) -> None:
    await family.grant()
    await practise(store, family.child)

    assert {record.type for record in await store.reader.read(0) if record.consent_id} == {ProgressRecorded.TOPIC}


async def test_without_consent_nothing_is_recorded(store: Store, family: Family) -> None:
    await family.grant("personalisation", "research")
    head = await store.reader.head()

    with pytest.raises(ConsentRequired):
        await practise(store, family.child)

    assert await store.reader.head() == head


async def test_a_report_refused_for_want_of_consent_is_accepted_once_there_is_one(store: Store, family: Family) -> None:
    cause = a_cause(family.child)
    with pytest.raises(ConsentRequired):
        await practise(store, family.child, cause)

    await family.grant()
    receipt = await practise(store, family.child, cause)

    assert not receipt.repeated


async def test_a_repeat_of_what_was_recorded_answers_the_same_after_the_consent_ended(
    store: Store, family: Family
) -> None:
    consent, cause = await family.grant(), a_cause(family.child)
    first = await practise(store, family.child, cause)
    await family.withdraw(consent)

    again = await practise(store, family.child, cause)

    assert again.repeated
    assert (again.first, again.last) == (first.first, first.last)


async def test_a_process_that_still_remembers_the_consent_refuses(
    store: Store, family: Family, processes: list[EventLog]
) -> None:
    consent = await family.grant()
    await record_progress(processes[0], a_report(family.child))
    await family.withdraw(consent)

    with pytest.raises(ConsentRequired):
        await record_progress(processes[0], a_report(family.child))

    assert len(await consents_of_practice(store, family.child)) == 1


async def test_a_withdrawal_between_the_decision_and_its_append_makes_it_decided_again_and_refused(
    store: Store, family: Family
) -> None:
    consent = await family.grant()
    accepted = 0

    class Meanwhile(EventLog):
        """A log on which the guardian withdraws behind the first decision, before it is appended."""

        async def execute(self, cause: Cause, decide: Callable[[_History], Awaitable[None]]) -> Receipt:
            async def decide_and_withdraw(history: _History) -> None:
                nonlocal accepted
                await decide(history)
                accepted += 1
                await family.withdraw(consent)

            return await super().execute(cause, decide_and_withdraw)

    log = Meanwhile(store.reader, store.appender, store.keys, Fingerprints(FINGERPRINTS))

    with pytest.raises(ConsentRequired):
        await record_progress(log, a_report(family.child))

    assert accepted == 1
    assert await consents_of_practice(store, family.child) == []


async def test_every_report_of_a_race_stands_where_its_consent_holds(
    store: Store, family: Family, processes: list[EventLog]
) -> None:
    accepted: list[Receipt] = []

    async def report_until_refused(log: EventLog, under_way: asyncio.Event) -> bool:
        for n in range(50):
            try:
                accepted.append(await record_progress(log, a_report(family.child)))
            except ConsentRequired:
                return True
            if n == 2:
                under_way.set()
        return False

    for _ in range(RACES):
        consent, under_way = await family.grant(), asyncio.Event()
        reporters = [asyncio.create_task(report_until_refused(log, under_way)) for log in processes * 5]
        async with asyncio.timeout(60):
            await under_way.wait()
            await family.withdraw(consent)
            assert all(await asyncio.gather(*reporters))

    holding: UUID | None = None
    practised = 0
    for record in await store.reader.read(0, limit=100_000):
        match decode(record):
            case ConsentGranted(consent_id=begun):
                holding = begun
            case ConsentWithdrawn():
                holding = None
            case ProgressRecorded():
                assert holding
                assert record.consent_id == holding
                practised += 1
    assert practised == len(accepted)
