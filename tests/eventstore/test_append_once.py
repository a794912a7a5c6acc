"""Append once: a command id is accepted one time; a repeat gets the first answer, another body is refused."""

import json
from base64 import b64encode
from dataclasses import replace
from uuid import uuid4

import pytest

from commands.ports import History
from domain.cause import Cause, Receipt
from domain.errors import IdempotencyKeyReused
from domain.events import GuardianAdded
from eventstore.append import Accepted, Known, Stale
from eventstore.fingerprints import Fingerprints
from eventstore.log import EventLog
from tests.eventstore.appends import END, WHEN, an_append, together
from tests.eventstore.conftest import Store, a_cause


def keys(*versions: int) -> str:
    """Return a key set in which a version always has the same key."""
    return json.dumps({str(version): b64encode(bytes([version]) * 32).decode() for version in versions})


async def record_something(store: Store, cause: Cause, key_set: str) -> Receipt:
    """Append one fact through a log that knows these fingerprint keys."""

    async def decide(history: History) -> None:
        history.record(
            GuardianAdded(originator_id=cause.actor, originator_version=0, timestamp=WHEN, guardian_id=uuid4())
        )

    return await EventLog(store.reader, store.appender, store.keys, Fingerprints(key_set)).execute(cause, decide)


async def test_a_known_command_is_answered_with_its_first_positions_and_fingerprint(store: Store) -> None:
    append = an_append(("a", END), ("b", 1), fingerprint=b"body one")
    first = await store.appender.append(append)
    await store.appender.append(an_append(("a", END)))

    verdict = await store.appender.append(replace(append, fingerprint=b"body two"))

    assert isinstance(first, Accepted)
    assert verdict == Known(1, 2, first.recorded_at, b"body one", 1)
    assert await store.reader.head() == 3


async def test_a_known_command_is_known_before_it_is_stale(store: Store) -> None:
    append = an_append(("a", 1), guards=[("user", 0)])
    await store.appender.append(append)
    await store.appender.append(an_append(("user", 1), ("a", 2)))

    assert isinstance(await store.appender.append(append), Known)


async def test_a_command_that_was_refused_as_stale_is_not_known(store: Store) -> None:
    append = an_append(("a", 2))

    assert await store.appender.append(append) == Stale()
    assert await store.appender.append(append) == Stale()
    assert await store.reader.command(append.command_id) is None


async def test_repeats_within_one_batch_append_once(store: Store) -> None:
    append = an_append(("a", END), ("a", END))

    first, *repeats = await together(store.appender, append, an_append(("a", END)), append, append)

    assert first == Accepted(1, 2, first.recorded_at) if isinstance(first, Accepted) else False
    assert [type(verdict) for verdict in repeats] == [Accepted, Known, Known]
    assert await store.reader.head() == 3


async def test_a_repeat_among_new_commands_disturbs_none_of_them(store: Store) -> None:
    known = an_append(("a", END))
    await store.appender.append(known)

    verdicts = await together(store.appender, an_append(("a", END)), known, an_append(("a", END)))

    assert [(type(v), v.first) for v in verdicts if not isinstance(v, Stale)] == [
        (Accepted, 2),
        (Known, 1),
        (Accepted, 3),
    ]


async def test_the_table_of_commands_says_where_each_ones_events_stand(store: Store) -> None:
    await store.appender.append(an_append(("a", END), ("a", END)))
    append = an_append(("a", END), ("a", END), ("b", END))
    accepted = await store.appender.append(append)

    known = await store.reader.command(append.command_id)

    assert isinstance(accepted, Accepted)
    assert known == Known(3, 5, accepted.recorded_at, b"same body", 1)


async def test_a_repeat_is_recognised_after_the_fingerprint_key_was_rotated(store: Store) -> None:
    cause = a_cause(body=b"one")
    first = await record_something(store, cause, keys(1))

    repeat = await record_something(store, cause, keys(1, 2))

    assert repeat == replace(first, repeated=True)


async def test_another_body_is_refused_after_the_fingerprint_key_was_rotated(store: Store) -> None:
    cause = a_cause(body=b"one")
    await record_something(store, cause, keys(1))

    with pytest.raises(IdempotencyKeyReused):
        await record_something(store, replace(cause, body=b"two"), keys(1, 2))


async def test_another_operation_with_the_same_body_is_another_command(store: Store) -> None:
    cause = a_cause(body=b"one")
    await record_something(store, cause, keys(1))

    with pytest.raises(IdempotencyKeyReused):
        await record_something(store, replace(cause, operation="Other"), keys(1))


async def test_new_commands_are_signed_with_the_newest_key(store: Store) -> None:
    cause = a_cause()
    await record_something(store, cause, keys(2, 10, 9))

    known = await store.reader.command(cause.command_id)

    assert known
    assert known.fingerprint_key == 10


async def test_nothing_matches_a_fingerprint_whose_key_is_gone(store: Store) -> None:
    cause = a_cause()
    await record_something(store, cause, keys(1))

    with pytest.raises(IdempotencyKeyReused):
        await record_something(store, cause, keys(2))


async def test_key_versions_may_begin_at_zero(store: Store) -> None:
    cause = a_cause()
    await record_something(store, cause, keys(0))

    assert (await record_something(store, cause, keys(0, 1))).repeated


async def test_the_body_itself_is_stored_nowhere(store: Store) -> None:
    await record_something(store, a_cause(body=b"a secret wish"), keys(1))

    rows = await store.pool.fetch("select c::text || e::text from commands c, events e")

    assert "a secret wish" not in rows[0][0]
    assert b"a secret wish".hex() not in rows[0][0]
