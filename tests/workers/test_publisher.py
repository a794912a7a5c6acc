"""Publisher: in order, so many unconfirmed at most, and never further than what is confirmed without a hole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractExchange

from adapters.broker.connection import BrokerLost
from adapters.broker.messages import Batch, Heartbeat, read_message
from adapters.broker.outbox import EncodedBatch
from tests.adapters.broker.records import a_batch, a_record
from workers.lease import Term
from workers.publisher import WINDOW, Publisher

TERM = Term(epoch=3, position=0, event_id=None, forked=False)


class HeldExchange:
    """An exchange that keeps every message until the test confirms or refuses it."""

    def __init__(self) -> None:
        self.held: list[tuple[str, Message, asyncio.Future[None]]] = []

    async def publish(self, message: Message, routing_key: str, *, mandatory: bool) -> None:
        assert mandatory
        verdict: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.held.append((routing_key, message, verdict))
        await verdict

    def batches(self) -> list[Batch]:
        read = [read_message(message) for _, message, _ in self.held]
        return [one for one in read if isinstance(one, Batch)]

    def confirm(self, number: int) -> None:
        self.held[number][2].set_result(None)

    def fail(self, number: int, error: BaseException) -> None:
        self.held[number][2].set_exception(error)


async def settle() -> None:
    """Let every task run until all of them wait."""
    for _ in range(WINDOW * 4):
        await asyncio.sleep(0)


@pytest.fixture
def exchange() -> HeldExchange:
    return HeldExchange()


@pytest.fixture
async def group() -> AsyncIterator[asyncio.TaskGroup]:
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            yield group
            for task in set(group._tasks):
                task.cancel()


@pytest.fixture
def publisher(exchange: HeldExchange, group: asyncio.TaskGroup) -> Publisher:
    return Publisher(cast("AbstractExchange", exchange), TERM, group)


def a_page(first: int, last: int, parts: int = 3) -> list[EncodedBatch]:
    """Return the events at these positions, which go round so many parts, as the outbox would."""
    records = [a_record(position, position % parts) for position in range(first, last + 1)]
    own = [[record for record in records if record.part == part] for part in range(parts)]
    return sorted((a_batch(*some) for some in own if some), key=lambda batch: batch.position)


async def test_every_message_names_what_its_part_was_sent_before(publisher: Publisher, exchange: HeldExchange) -> None:
    await publisher.send_page(a_page(1, 6))
    await publisher.send_page(a_page(7, 9))
    await settle()

    assert [(batch.part, batch.prev, len(batch.records)) for batch in exchange.batches()] == [
        *[(1, 0, 2), (2, 0, 2), (0, 0, 2)],
        *[(1, 4, 1), (2, 5, 1), (0, 6, 1)],
    ]
    assert {batch.epoch for batch in exchange.batches()} == {3}
    assert [key for key, _, _ in exchange.held] == ["1", "2", "0", "1", "2", "0"]


async def test_only_what_is_confirmed_without_a_hole_counts(publisher: Publisher, exchange: HeldExchange) -> None:
    await publisher.send_page(a_page(1, 6))
    await publisher.send_page(a_page(7, 9))
    await settle()
    news = asyncio.create_task(publisher.confirmed())

    for number in (0, 1, 3, 4, 5):
        exchange.confirm(number)
    await settle()
    assert not news.done()

    exchange.confirm(2)
    assert await news == (9, a_record(9).event_id)


async def test_no_more_than_the_window_is_unconfirmed(
    publisher: Publisher, exchange: HeldExchange, group: asyncio.TaskGroup
) -> None:
    sending = group.create_task(publisher.send_page([a_batch(a_record(n)) for n in range(1, 100)]))
    await settle()
    assert len(exchange.held) == WINDOW

    exchange.confirm(0)
    await settle()
    assert len(exchange.held) == WINDOW + 1

    sending.cancel()


async def test_a_heartbeat_goes_behind_what_it_speaks_of(
    publisher: Publisher, exchange: HeldExchange, group: asyncio.TaskGroup
) -> None:
    await publisher.send_page(a_page(1, 6))
    group.create_task(publisher.beat())
    await settle()

    *batches, (key, message, _) = exchange.held
    heartbeat = read_message(message)
    assert len(batches) == 3
    assert key == "heartbeat"
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.head, heartbeat.head_event) == (6, a_record(6).event_id)
    assert heartbeat.last[:4] == (6, 4, 5, 0)


@pytest.mark.parametrize("error", [OSError(), asyncio.CancelledError()], ids=["an error", "a cancellation of its own"])
async def test_what_the_library_gives_up_is_never_taken_for_confirmed(error: BaseException) -> None:
    exchange = HeldExchange()
    confirmed = []

    async def send_in_vain() -> None:
        async with asyncio.TaskGroup() as group:
            publisher = Publisher(cast("AbstractExchange", exchange), TERM, group)
            await publisher.send_page(a_page(1, 3, parts=1))
            await settle()
            exchange.fail(0, error)
            confirmed.append(await publisher.confirmed())

    with pytest.raises(ExceptionGroup) as failure:
        await send_in_vain()

    assert failure.group_contains(OSError if isinstance(error, OSError) else BrokerLost)
    assert confirmed == []
