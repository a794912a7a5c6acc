"""Append: versions, guards and atomicity, alone and among neighbours in one batch."""

from uuid import uuid4

import pytest

from eventstore.append import Accepted, Append, Stale
from tests.eventstore.appends import END, a_row, an_append, together
from tests.eventstore.conftest import Store
from tests.eventstore.soundness import assert_answered


async def written(store: Store) -> list[tuple[str, int]]:
    """Return what the log holds, as stream and version in position order."""
    return [(record.stream, record.version) for record in await store.reader.read(0)]


async def test_a_new_stream_begins_at_version_one(store: Store) -> None:
    verdict = await store.appender.append(an_append(("a", 1), ("a", 2)))

    assert isinstance(verdict, Accepted)
    assert (verdict.first, verdict.last) == (1, 2)
    assert await written(store) == [("a", 1), ("a", 2)]


async def test_new_is_refused_where_the_stream_has_begun(store: Store) -> None:
    await store.appender.append(an_append(("a", 1)))

    assert await store.appender.append(an_append(("a", 1))) == Stale()
    assert await written(store) == [("a", 1)]


async def test_an_exact_version_is_appended_right_behind_what_was_seen(store: Store) -> None:
    await store.appender.append(an_append(("a", 1)))

    verdict = await store.appender.append(an_append(("a", 2)))

    assert isinstance(verdict, Accepted)
    assert verdict.first == 2
    assert await written(store) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("version", [1, 2, 4], ids=["long past", "just taken", "with a hole before it"])
async def test_any_other_version_than_the_next_is_refused(store: Store, version: int) -> None:
    await store.appender.append(an_append(("a", 1), ("a", 2)))

    assert await store.appender.append(an_append(("a", version))) == Stale()
    assert await store.reader.head() == 2


async def test_a_fact_goes_wherever_its_stream_ends(store: Store) -> None:
    await store.appender.append(an_append(("a", END)))
    await store.appender.append(an_append(("a", END), ("b", END), ("a", END)))

    assert await written(store) == [("a", 1), ("a", 2), ("b", 1), ("a", 3)]


async def test_facts_of_one_batch_stand_behind_each_other(store: Store) -> None:
    await store.appender.append(an_append(("a", 1)))

    await together(store.appender, *(an_append(("a", END), ("b", END)) for _ in range(3)))

    assert await written(store) == [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("a", 4), ("b", 3)]


async def test_several_streams_are_written_together_or_not_at_all(store: Store) -> None:
    await store.appender.append(an_append(("a", 1)))

    refused = await store.appender.append(an_append(("b", 1), ("a", 1), ("c", END)))
    accepted = await store.appender.append(an_append(("b", 1), ("a", 2), ("c", END)))

    assert refused == Stale()
    assert isinstance(accepted, Accepted)
    assert (accepted.first, accepted.last) == (2, 4)
    assert await written(store) == [("a", 1), ("b", 1), ("a", 2), ("c", 1)]


async def test_a_guard_that_holds_lets_the_command_pass_and_does_not_move(store: Store) -> None:
    await store.appender.append(an_append(("user", 1)))

    verdicts = await together(
        store.appender, *(an_append(("practice", END), guards=[("user", 1), ("nobody", 0)]) for _ in range(2))
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted]


@pytest.mark.parametrize("guard", [("user", 0), ("user", 2), ("nobody", 1)])
async def test_a_stale_guard_refuses_its_own_command_alone(store: Store, guard: tuple[str, int]) -> None:
    await store.appender.append(an_append(("user", 1)))

    verdicts = await together(
        store.appender,
        an_append(("practice", END)),
        an_append(("practice", END), ("b", 1), guards=[guard]),
        an_append(("practice", END)),
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Stale, Accepted]
    assert await written(store) == [("user", 1), ("practice", 1), ("practice", 2)]


async def test_a_guard_sees_what_an_earlier_command_of_its_batch_wrote(store: Store) -> None:
    await store.appender.append(an_append(("user", 1)))

    verdicts = await together(
        store.appender,
        an_append(("practice", END), guards=[("user", 1)]),
        an_append(("user", 2)),
        an_append(("practice", END), guards=[("user", 1)]),
        an_append(("practice", END), guards=[("user", 2)]),
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted, Stale, Accepted]
    assert await written(store) == [("user", 1), ("practice", 1), ("user", 2), ("practice", 2)]


async def test_a_guard_sees_what_was_put_at_the_end_earlier_in_its_batch(store: Store) -> None:
    verdicts = await together(
        store.appender, an_append(("user", END)), an_append(("practice", END), guards=[("user", 0)])
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Stale]


async def test_a_guard_does_not_see_what_a_refused_command_wanted_to_write(store: Store) -> None:
    verdicts = await together(
        store.appender,
        an_append(("user", 1), guards=[("nobody", 1)]),
        an_append(("practice", END), guards=[("user", 0)]),
    )

    assert [type(verdict) for verdict in verdicts] == [Stale, Accepted]


async def test_exact_versions_may_follow_each_other_in_one_batch(store: Store) -> None:
    verdicts = await together(
        store.appender, an_append(("a", 1)), an_append(("a", 2), ("a", 3)), an_append(("a", 3)), an_append(("a", 4))
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted, Stale, Accepted]
    assert await written(store) == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]


async def test_exact_and_open_ended_writes_of_a_stream_mix_in_queue_order(store: Store) -> None:
    verdicts = await together(
        store.appender, an_append(("a", 1)), an_append(("a", END)), an_append(("a", 3)), an_append(("a", 3))
    )

    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted, Accepted, Stale]
    assert await written(store) == [("a", 1), ("a", 2), ("a", 3)]


async def test_one_of_two_rivals_for_a_version_is_refused(store: Store) -> None:
    first, second = await together(store.appender, an_append(("a", 1)), an_append(("a", 1)))

    assert isinstance(first, Accepted)
    assert second == Stale()


async def test_a_stale_command_among_many_is_refused_alone(store: Store) -> None:
    await store.appender.append(an_append(("taken", 1)))
    stale = {7, 100, 299}
    appends = [an_append(("taken" if n in stale else f"s{n}", 1), (f"s{n}", END)) for n in range(300)]

    verdicts = await together(store.appender, *appends)

    assert {n for n, verdict in enumerate(verdicts) if verdict == Stale()} == stale
    assert await store.reader.head() == 1 + 2 * 297
    assert_answered(await store.reader.read(0), zip(appends, verdicts, strict=True))


async def test_a_refused_command_leaves_no_trace_and_may_try_again(store: Store) -> None:
    await store.appender.append(an_append(("a", 1)))
    refused = an_append(("a", 1))
    await store.appender.append(refused)

    again = await store.appender.append(an_append(("a", 2), command_id=refused.command_id))

    assert isinstance(again, Accepted)
    assert again.first == 2


async def test_more_commands_than_a_batch_holds_are_all_appended_in_order(store: Store) -> None:
    appends = [an_append((f"s{n % 7}", END)) for n in range(2500)]

    verdicts = await together(store.appender, *appends)

    assert [verdict.first for verdict in verdicts if isinstance(verdict, Accepted)] == list(range(1, 2501))
    assert_answered(await store.reader.read(0), zip(appends, verdicts, strict=True))


async def test_a_command_bigger_than_a_batch_is_appended_all_the_same(store: Store) -> None:
    giant = an_append(("a", 1), data='"' + "x" * 3_000_000 + '"')

    verdicts = await together(store.appender, an_append(("b", 1)), giant, an_append(("c", 1)))

    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted, Accepted]
    assert len((await store.reader.read(1, limit=1))[0].data) == 3_000_002


async def test_data_is_kept_byte_for_byte(store: Store) -> None:
    data = '{"b":1, "a" : "é😀\\u00e9","b":2.50}'

    await store.appender.append(an_append(("a", 1), data=data))

    assert (await store.reader.read(0))[0].data == data


async def test_a_command_without_an_event_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one event"):
        await store.appender.append(an_append(guards=[("a", 0)]))


async def test_every_column_arrives_where_it_belongs(store: Store) -> None:
    command_id, ids = uuid4(), [uuid4() for _ in range(6)]
    row = a_row("learner-1", 1, command_id, 1, '{"n":1}')._replace(
        part=63,
        schema=7,
        subject=ids[0],
        causation_id=ids[1],
        correlation_id=ids[2],
        actor=ids[3],
        on_behalf_of=ids[4],
        consent_id=ids[5],
        traceparent="00-trace",
        sealed=b"\x01sealed",
        commitment=b"c" * 32,
    )

    verdict = await store.appender.append(Append(command_id, "Test", b"f", 1, [row], [("learner-1", 0)]))

    assert isinstance(verdict, Accepted)
    [record] = await store.reader.read(0)
    assert record._asdict() == row._asdict() | {"format": 1, "position": 1, "recorded_at": verdict.recorded_at}
