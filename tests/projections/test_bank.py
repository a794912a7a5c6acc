"""The bank in memory: given these publications, snapshots are; and a past one is the same when it is made again."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from commands.publish_question import PublishQuestion, publish_question
from domain.errors import Unavailable
from domain.selection import Candidate, Shelf
from eventstore.connections import APP, create_pool
from projections import bank as bank_module
from projections.bank import Bank, Snapshot
from tests.domain.questions import number
from tests.eventstore.conftest import Store, a_cause, store
from tests.eventstore.foreign import until
from tests.eventstore.test_log import register
from tests.faults.proxy import Proxy

__all__ = ["store"]

FRACTIONS = (3, "math", "fractions")


@pytest.fixture
def bank(store: Store) -> Bank:
    return Bank(store.pool)


async def publish(store: Store, question_id: UUID, **labels: object) -> int:
    """Publish a question about fractions, unless the labels say otherwise; return its position."""
    about = {"id": question_id, "grade": 3, "subject": "math", "topic": "fractions", "skill": "halves"}
    question = number("1/2").model_copy(update=about | labels)
    receipt = await publish_question(store.log, PublishQuestion(cause=a_cause(), question=question))
    return receipt.last


def candidates(shelf: Shelf) -> set[Candidate]:
    return {one for pile in shelf.piles(None) for family in pile.families.values() for one in family}


def everything(snapshot: Snapshot) -> dict[object, set[Candidate]]:
    shelves = {place: candidates(snapshot.shelf(*place)) for place in snapshot.topics}
    return {place: found for place, found in shelves.items() if found}


async def test_an_empty_bank_is_a_snapshot_as_well(bank: Bank) -> None:
    snapshot = await bank.refresh()

    assert snapshot.position == 0
    assert candidates(snapshot.shelf(*FRACTIONS)) == set()


async def test_until_the_first_look_nobody_can_select(bank: Bank) -> None:
    with pytest.raises(Unavailable):
        bank.snapshot()


async def test_a_shelf_has_the_latest_version_of_each_question_of_its_topic(store: Store, bank: Bank) -> None:
    one, two, elsewhere = uuid4(), uuid4(), uuid4()
    await publish(store, one)
    await publish(store, elsewhere, topic="decimals")
    await publish(store, two, skill=None, family=None, difficulty="hard")
    await register(store, "parent")
    last = await publish(store, one, family="pizza", difficulty="easy")

    snapshot = await bank.refresh()

    assert bank.snapshot() is snapshot
    assert snapshot.position == last
    assert candidates(snapshot.shelf(*FRACTIONS)) == {
        Candidate(one, 2, "halves", "easy", "pizza"),
        Candidate(two, 1, "fractions", "hard", str(two)),
    }
    assert {one.id for one in candidates(snapshot.shelf(3, "math", "decimals"))} == {elsewhere}
    assert candidates(snapshot.shelf(4, "math", "fractions")) == set()


async def test_a_snapshot_is_named_by_the_last_question_and_not_by_what_else_is_recorded(
    store: Store, bank: Bank
) -> None:
    position = await publish(store, uuid4())
    before = await bank.refresh()
    await register(store, "parent")

    assert (await bank.refresh()) is before
    assert before.position == position


async def test_who_has_a_snapshot_goes_on_with_it(store: Store, bank: Bank) -> None:
    question_id = uuid4()
    await publish(store, question_id)
    before = await bank.refresh()
    seen = everything(before)
    await publish(store, question_id, topic="decimals")
    await publish(store, uuid4())

    after = await bank.refresh()

    assert everything(before) == seen
    assert everything(after) != seen
    assert question_id not in {one.id for one in candidates(after.shelf(*FRACTIONS))}


async def test_a_refresh_makes_only_the_shelves_that_changed(store: Store, bank: Bank) -> None:
    await publish(store, uuid4())
    await publish(store, uuid4(), topic="decimals")
    before = await bank.refresh()
    await publish(store, uuid4())

    after = await bank.refresh()

    assert after.shelf(3, "math", "decimals") is before.shelf(3, "math", "decimals")
    assert after.shelf(*FRACTIONS) is not before.shelf(*FRACTIONS)


async def test_any_past_snapshot_can_be_made_again(store: Store, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_module, "PAGE", 2)
    questions = [uuid4() for _ in range(4)]
    then = []
    for topic in ("fractions", "decimals", "fractions"):
        for question_id in questions:
            await publish(store, question_id, topic=topic, difficulty="hard")
            await register(store, "parent")
            then.append(await bank.refresh())

    for snapshot in then:
        again = await bank.at(snapshot.position)
        assert (again.position, everything(again)) == (snapshot.position, everything(snapshot))
        assert (await Bank(store.pool).at(snapshot.position + 1)).position == snapshot.position


async def test_contents_are_those_of_the_version_asked_for(store: Store, bank: Bank) -> None:
    one, two = uuid4(), uuid4()
    for question_id, stem in ((one, "first"), (two, "other"), (one, "second")):
        await publish(store, question_id, stem=stem)

    asked = [(one, 2), (two, 1), (one, 1), (one, 2)]
    found = await bank.contents(asked)

    assert [question.stem for question in found] == ["second", "other", "first", "second"]
    assert [(question.id, question.version) for question in found] == asked
    assert await bank.contents([]) == []


async def test_contents_that_were_read_before_are_kept_within_bounds(store: Store) -> None:
    bank = Bank(store.pool, kept=2)
    ids = [uuid4() for _ in range(3)]
    for question_id in ids:
        await publish(store, question_id)
    first, second, third = [(question_id, 1) for question_id in ids]

    [one, _] = await bank.contents([first, second])
    assert (await bank.contents([first]))[0] is one
    await bank.contents([third])

    assert (await bank.contents([first]))[0] is one
    assert len(bank._contents) == 2
    assert second not in bank._contents


async def test_a_version_that_was_never_published_has_no_contents(store: Store, bank: Bank) -> None:
    question_id = uuid4()
    await publish(store, question_id)

    with pytest.raises(LookupError):
        await bank.contents([(question_id, 2)])


async def test_it_follows_the_log_and_keeps_its_snapshot_while_postgres_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_module, "PACE", 0.01)
    address = urlsplit(store.dsn)
    async with Proxy("127.0.0.1", address.port or 0) as proxy:
        there = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}"))
        pool = await create_pool(there.geturl(), APP, size=1)
        bank = Bank(pool)
        proxy.go_away()
        looking = asyncio.create_task(bank.keep_looking())

        await until(lambda: has_been_refused(proxy))
        proxy.come_back()
        first = await publish(store, uuid4())
        await until(lambda: stands_at(bank, first))
        proxy.go_away()
        second = await publish(store, uuid4())
        assert await stands_at(bank, first)
        proxy.come_back()
        await until(lambda: stands_at(bank, second))

        looking.cancel()
        await asyncio.wait({looking})
        pool.terminate()


async def has_been_refused(proxy: Proxy) -> bool:
    return proxy.accepted > 1


async def stands_at(bank: Bank, position: int) -> bool:
    with suppress(Unavailable):
        return bank.snapshot().position == position
    return False


async def test_the_questions_of_a_long_log_are_found_without_reading_it(store: Store) -> None:
    await publish(store, uuid4())
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {bank_module._PAGE}", 0, 1, 10)

    assert "events_of_questions" in "\n".join(line["QUERY PLAN"] for line in plan)
