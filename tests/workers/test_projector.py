"""The projector: every event takes effect once, whatever the deliveries look like."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import asyncpg

from tests.eventstore.test_log import practise, register
from tests.workers.conftest import Platform
from tests.workers.deliveries import Sender
from tests.workers.running import eventually, running, somebody_waits
from workers.subscription import Delivery


async def test_recorded_progress_becomes_a_summary(platform: Platform) -> None:
    student = await register(platform.store)
    receipts = [await practise(platform.store, student, score=score) for score in (5000, 8033, 10000)]

    await platform.project()

    now = datetime.now(UTC)
    answer = await platform.summary.now(student, now)
    summary = json.loads(answer.body)
    assert summary["self_reported"]["mean_score"] == 76.78
    assert summary["self_reported"]["records"] == 3
    assert summary["as_of"]["position"] == receipts[-1].last
    assert summary["streak"]["days"] == 1
    assert (await platform.summary.now(student, now)).body == answer.body
    assert json.loads(await platform.profile(student, now))["email"] == "ada@example.org"


class Closing:
    """A subscription with one delivery, which notices when it is closed."""

    def __init__(self, delivery: Delivery) -> None:
        self.is_closed = False
        self._delivery = delivery

    async def deliveries(self) -> AsyncGenerator[Delivery]:
        try:
            yield self._delivery
        finally:
            await asyncio.sleep(0.05)  # as long as others take to be told
            self.is_closed = True


async def test_stopped_in_the_middle_of_a_delivery_it_says_goodbye_before_it_ends(platform: Platform) -> None:
    await register(platform.store)
    subscription = Closing(Sender().pack(await platform.store.reader.read(0)))
    other = await asyncpg.connect(platform.store.dsn)
    async with other.transaction():
        await other.execute("select from read.cursors for update")

        async with running(platform.projector, subscription):
            await eventually(lambda: somebody_waits(platform))

        assert subscription.is_closed
    await other.close()
