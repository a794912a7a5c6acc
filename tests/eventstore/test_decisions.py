"""Decisions: what a command read is the condition of what it records, however stale the memory it was read from."""

from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from commands.ports import History
from domain.cause import Cause, Receipt
from domain.errors import NotAllowed, TooContended
from domain.events import GuardianAdded
from domain.profile import Profile
from domain.user import User
from eventstore.appender import Appender
from eventstore.fingerprints import Fingerprints
from eventstore.log import Aggregates, EventLog
from tests.eventstore.conftest import Store, a_cause, key_set
from tests.faults.proxy import Proxy, Towards

NOW = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)


def other_process(store: Store, appender: Appender | None = None) -> EventLog:
    """Return the log as another process sees it: nothing in memory yet."""
    return EventLog(store.reader, appender or store.appender, store.keys, Fingerprints(FINGERPRINTS))


FINGERPRINTS = key_set(1)


async def register(log: EventLog, store: Store, role: Literal["parent", "student"] = "student") -> UUID:
    user_id = uuid4()
    await store.keys.create(user_id)

    async def decide(history: History) -> None:
        profile = Profile(name="Ada", grade_level=3, learning_preferences=())
        history.save(User.register(user_id, role, "ada@example.org", profile, NOW))

    await log.execute(a_cause(user_id), decide)
    return user_id


async def add_guardian(log: EventLog, child_id: UUID, cause: Cause | None = None) -> None:
    """Record a fact of a child at the end of its stream, whatever the process believes of it."""

    async def decide(history: History) -> None:
        history.record(a_guardian(child_id))

    await log.execute(cause or a_cause(), decide)


def a_guardian(child_id: UUID) -> GuardianAdded:
    return GuardianAdded(originator_id=child_id, originator_version=0, timestamp=NOW, guardian_id=uuid4())


async def link_by_deciding(log: EventLog, child_id: UUID, cause: Cause) -> tuple[Receipt, list[int]]:
    """Add a guardian right behind what was loaded; return the receipt and the versions on which it was decided."""
    seen: list[int] = []

    async def decide(history: History) -> None:
        child = await history.load(User, child_id)
        assert child
        seen.append(child.version)
        child.trigger_event(GuardianAdded, guardian_id=uuid4(), timestamp=NOW)
        history.save(child)

    return await log.execute(cause, decide), seen


async def test_a_decision_on_an_old_memory_is_taken_again_on_fresh_state(store: Store) -> None:
    here, there = other_process(store), other_process(store)
    child = await register(here, store)
    await add_guardian(there, child)

    _, seen = await link_by_deciding(here, child, a_cause())

    assert seen == [1, 2]
    assert [record.version for record in await store.reader.stream(f"user-{child}")] == [1, 2, 3]


async def test_a_decision_goes_by_memory_while_memory_is_true(store: Store) -> None:
    here = other_process(store)
    child = await register(here, store)

    _, first = await link_by_deciding(here, child, a_cause())
    _, second = await link_by_deciding(here, child, a_cause())

    assert (first, second) == ([1], [2])


async def test_a_refusal_from_memory_is_decided_again_after_reading_the_tail(store: Store) -> None:
    here, there = other_process(store), other_process(store)
    child = await register(here, store)
    await add_guardian(there, child)
    seen: list[int] = []

    async def decide(history: History) -> None:
        user = await history.rely_on(User, child)
        assert user
        seen.append(len(user.guardians))
        if not user.guardians:
            raise NotAllowed
        history.record(a_guardian(child))

    await here.execute(a_cause(), decide)

    assert seen == [0, 1]


async def test_a_refusal_on_fresh_state_stands_and_leaves_no_trace(store: Store) -> None:
    here = other_process(store)
    child = await register(here, store)
    cause = a_cause()

    async def refuse(history: History) -> None:
        await history.rely_on(User, child)
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await other_process(store).execute(cause, refuse)

    assert await here.read_receipt(cause) is None
    assert await store.reader.head() == 1


async def test_a_repeat_is_answered_with_its_receipt_even_where_it_would_now_be_refused(store: Store) -> None:
    here, cause = other_process(store), a_cause()
    child = await register(here, store)
    await add_guardian(here, child, cause)

    async def refuse(_: History) -> None:
        raise NotAllowed

    receipt = await other_process(store).execute(cause, refuse)

    assert (receipt.repeated, receipt.first, receipt.last) == (True, 2, 2)


async def test_a_command_whose_ground_moves_every_time_gives_up(store: Store) -> None:
    here, there = other_process(store), other_process(store)
    child = await register(here, store)
    decisions = 0

    async def decide(history: History) -> None:
        nonlocal decisions
        decisions += 1
        await history.rely_on(User, child)
        await add_guardian(there, child)
        history.record(a_guardian(child))

    cause = a_cause()
    with pytest.raises(TooContended):
        await here.execute(cause, decide)

    assert decisions == 1 + 3
    assert await here.read_receipt(cause) is None


async def test_a_decision_that_read_a_stream_twice_is_bound_to_what_it_read_first(store: Store) -> None:
    here = other_process(store)
    child = await register(here, store)
    seen: list[tuple[int, int]] = []

    async def decide(history: History) -> None:
        first = await history.rely_on(User, child)
        if not seen:
            await link_by_deciding(here, child, a_cause())
        second = await history.rely_on(User, child)
        assert first
        assert second
        seen.append((first.version, second.version))
        history.record(a_guardian(child))

    await here.execute(a_cause(), decide)

    assert seen == [(1, 2), (2, 2)]


async def test_what_is_loaded_is_a_private_copy(store: Store) -> None:
    here = other_process(store)
    child = await register(here, store)

    async def change_and_refuse(history: History) -> None:
        user = await history.load(User, child)
        assert user
        user.trigger_event(GuardianAdded, guardian_id=uuid4(), timestamp=NOW)
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await here.execute(a_cause(), change_and_refuse)

    held, from_memory = await here.aggregates.get(User, child)
    assert from_memory
    assert held
    assert (held.version, held.guardians) == (1, frozenset())


async def test_a_new_aggregate_is_refused_where_its_stream_has_begun(store: Store) -> None:
    here = other_process(store)
    child = await register(here, store)

    async def register_again(history: History) -> None:
        profile = Profile(name="Eve", grade_level=1, learning_preferences=())
        history.save(User.register(child, "parent", "eve@example.org", profile, NOW))

    with pytest.raises(TooContended):
        await here.execute(a_cause(), register_again)

    assert await store.reader.head() == 1


async def test_memory_is_bounded_and_the_least_used_leaves_first(store: Store) -> None:
    here = other_process(store)
    children = [await register(here, store) for _ in range(3)]
    memory = Aggregates(store.reader, kept=2)

    for child in (children[0], children[1], children[0], children[2]):
        await memory.get(User, child)

    remembered = [(await memory.get(User, child))[1] for child in (children[0], children[2], children[1])]
    assert remembered == [True, True, False]


async def test_an_answer_found_in_the_log_is_not_taken_for_todays_decision(store: Store) -> None:
    server = urlsplit(store.dsn)
    there = other_process(store)
    cause = a_cause()
    child = await register(there, store)
    await link_by_deciding(there, child, cause)
    await add_guardian(there, child)
    async with Proxy(server.hostname or "", server.port or 0) as proxy:
        appender = Appender(store.dsn.replace(f":{server.port}/", f":{proxy.port}/"))
        await appender.start()
        here = other_process(store, appender)
        await register(here, store)
        proxy.cut(Towards.SERVER)

        repeat, _ = await link_by_deciding(here, child, cause)
        _, seen = await link_by_deciding(here, child, a_cause())

        assert repeat.first == 2
        assert seen == [3]
        await appender.stop()
