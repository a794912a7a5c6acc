"""A connection to Postgres that breaks at any byte: the projector's transactions happen once all the same."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from eventstore.connections import PROJECTOR, create_pool
from tests.faults.proxy import Proxy, Towards
from tests.workers.conftest import Platform, new_projector
from tests.workers.deliveries import Sender
from tests.workers.read_models import assert_read_models_are_the_fold
from tests.workers.students import practise, register
from workers.projector import Projector
from workers.subscription import Delivery, Slice


@asynccontextmanager
async def behind_proxy(platform: Platform) -> AsyncIterator[tuple[Projector, Proxy]]:
    """Open a projector whose way to Postgres leads through a proxy."""
    address = urlsplit(platform.store.dsn)
    async with Proxy("127.0.0.1", address.port or 0) as proxy:
        there = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}"))
        pool = await create_pool(there.geturl(), PROJECTOR, size=3)
        yield new_projector(pool, platform.cache), proxy
        pool.terminate()


@pytest.mark.parametrize(("towards", "most"), [(Towards.SERVER, 2500), (Towards.CLIENT, 500)])
async def test_whatever_byte_a_connection_breaks_at_nothing_is_lost_doubled_or_stale(
    platform: Platform, towards: Towards, most: int
) -> None:
    chance = random.Random(5)  # noqa: S311  a repeatable storm
    student = await register(platform.store)
    sender, folded = Sender(), 0
    async with behind_proxy(platform) as (projector, proxy):
        for _ in range(25):
            await practise(platform.store, student)
            records = await platform.store.reader.read(folded)
            folded = records[-1].position
            await platform.summary.now(student, datetime.now(UTC))

            proxy.cut(towards, after=chance.randrange(most), reset=chance.random() < 0.5)
            await projector._apply_until_done(sender.pack(records))

            answer = await platform.summary.now(student, datetime.now(UTC))
            assert f'"position":{folded}' in answer.body.decode()
        assert proxy.cuts >= 10

    await assert_read_models_are_the_fold(platform)


async def test_what_filled_a_gap_is_not_stale_where_only_the_answer_to_its_commit_was_lost(platform: Platform) -> None:
    student = await register(platform.store)
    await platform.project()
    async with behind_proxy(platform) as (projector, proxy):
        await projector.refresh_cache()
        for after in range(600, 1300, 20):
            await platform.summary.now(student, datetime.now(UTC))
            receipt = await practise(platform.store, student)
            [record] = await platform.store.reader.read(receipt.last - 1)
            beat = Delivery([Slice(record.part, record.position, [], record.position, record.event_id)])

            proxy.cut(Towards.CLIENT, after=after, reset=True)
            await projector._apply_until_done(beat)

            answer = await platform.summary.now(student, datetime.now(UTC))
            assert f'"position":{record.position}' in answer.body.decode()
        assert proxy.cuts >= 10

    await assert_read_models_are_the_fold(platform)
