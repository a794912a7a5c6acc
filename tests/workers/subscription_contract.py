"""What every subscription owes a projector, and both owe the read models: inherit, and say how events arrive."""

import asyncio
import random
from collections.abc import Sequence
from itertools import pairwise

import asyncpg
import pytest

from adapters.stopping import end
from domain.errors import LogBroken
from projections.progress_summary import ProgressSummaries
from tests.workers.conftest import OwnMachine, Platform, new_projector
from tests.workers.deliveries import joined
from tests.workers.read_models import assert_read_models_are_the_fold, dump, wipe
from tests.workers.running import eventually, everything_is_folded, receive, running
from tests.workers.students import live, practise, register
from tests.workers.stumbling import Stumbling
from workers.projector import Projector
from workers.subscription import Delivery, Slice, Subscription


class SubscriptionContract:
    """The promises; a subclass named `Test…` keeps them."""

    async def subscribe(self, platform: Platform, projector: Projector) -> Subscription:
        """Return a subscription that goes on from the projector's cursors, its heart beating ten times a second."""
        raise NotImplementedError

    async def fold(self, platform: Platform, projector: Projector) -> list[Delivery]:
        """Apply what arrives until everything is folded, and return it."""
        return await receive(platform, projector, await self.subscribe(platform, projector))

    async def deliveries_to_come(self, platform: Platform, rounds: int = 5) -> list[Delivery]:
        """Return the deliveries of a log that no read model knows of yet."""
        deliveries: list[Delivery] = []
        for _ in range(rounds):
            await live(platform.store, people=3, reports=2)
            deliveries += await self.fold(platform, platform.projector)
        await wipe(platform.store.dsn)
        return [delivery for delivery in deliveries if delivery.slices]

    async def test_every_event_takes_effect_once_and_in_order(self, platform: Platform) -> None:
        await live(platform.store)

        await self.fold(platform, platform.projector)

        await assert_read_models_are_the_fold(platform)

    async def test_what_is_appended_later_arrives_too(self, platform: Platform) -> None:
        async with running(platform.projector, await self.subscribe(platform, platform.projector)):
            for _ in range(3):
                await live(platform.store, people=2, reports=2)
                await eventually(lambda: everything_is_folded(platform))

        await assert_read_models_are_the_fold(platform)

    async def test_a_restart_goes_on_from_the_cursors(self, platform: Platform) -> None:
        await live(platform.store)
        await self.fold(platform, platform.projector)
        await live(platform.store)

        await self.fold(platform, new_projector(platform.pool, platform.cache))

        await assert_read_models_are_the_fold(platform)

    async def test_a_stop_in_the_middle_of_anything_loses_and_doubles_nothing(self, platform: Platform) -> None:
        chance = random.Random(3)  # noqa: S311  a repeatable storm
        for _ in range(20):
            await live(platform.store, people=1, reports=2)
            projector = new_projector(platform.pool, platform.cache)
            task = asyncio.create_task(projector.run(await self.subscribe(platform, projector)))
            for _ in range(chance.randrange(60)):
                await asyncio.sleep(0)
            await end(task)

        await self.fold(platform, new_projector(platform.pool, platform.cache))

        await assert_read_models_are_the_fold(platform)

    async def test_repeated_overlapping_and_shuffled_deliveries_have_no_second_effect(self, platform: Platform) -> None:
        chance = random.Random(4)  # noqa: S311  a repeatable storm
        deliveries = await self.deliveries_to_come(platform)
        storm = deliveries * 3 + [joined(*pair) for pair in pairwise(deliveries)]
        chance.shuffle(storm)

        for delivery in storm:
            await platform.projector.apply(delivery)

        await assert_read_models_are_the_fold(platform)

    async def test_what_was_lost_on_the_way_is_read_from_the_log_when_the_next_delivery_reveals_it(
        self, platform: Platform
    ) -> None:
        first, *lost, last = await self.deliveries_to_come(platform)
        assert lost

        for delivery in (first, last):
            await platform.projector.apply(delivery)

        await assert_every_part_is_folded(platform, last.slices)

    async def test_two_projectors_at_once_have_one_effect(self, platform: Platform) -> None:
        twin = new_projector(platform.pool, platform.cache)
        async with (
            running(platform.projector, await self.subscribe(platform, platform.projector)),
            running(twin, await self.subscribe(platform, twin)),
        ):
            for _ in range(10):
                await live(platform.store, people=2, reports=2)
            await eventually(lambda: everything_is_folded(platform))

        await assert_read_models_are_the_fold(platform)

    async def test_two_projectors_add_nothing_twice_although_no_row_would_collide(self, platform: Platform) -> None:
        deliveries = await self.deliveries_to_come(platform)
        twins = [Projector(platform.pool, platform.cache, (ProgressSummaries(),)) for _ in range(2)]

        for delivery in deliveries:
            await asyncio.gather(*(twin.apply(delivery) for twin in twins))
        await self.fold(platform, platform.projector)

        await assert_read_models_are_the_fold(platform)

    async def test_parts_without_events_hear_how_far_the_log_was_read(self, platform: Platform) -> None:
        receipt = await practise(platform.store, await register(platform.store))

        async def all_parts_know() -> bool:
            return list((await platform.projector.cursors()).values()) == [receipt.last] * 64

        async with running(platform.projector, await self.subscribe(platform, platform.projector)):
            await eventually(all_parts_know)

    async def test_a_failing_transaction_leaves_nothing_behind_and_is_tried_again(self, platform: Platform) -> None:
        stumbling = new_projector(platform.pool, platform.cache, Stumbling(times=2))
        await live(platform.store)

        with pytest.raises(asyncpg.DivisionByZeroError):
            await self.fold(platform, stumbling)
        left_behind = await dump(platform.pool), set((await stumbling.cursors()).values())
        async with running(stumbling, await self.subscribe(platform, stumbling)):
            await eventually(lambda: everything_is_folded(platform))

        assert left_behind == ("", {0})
        await assert_read_models_are_the_fold(platform)

    @pytest.mark.parametrize(
        "fork",
        [
            "update events set event_id = gen_random_uuid() where position = (select max(position) from events)",
            "delete from events where position > 3",
        ],
    )
    async def test_a_log_that_went_on_differently_stops_the_projector(self, platform: Platform, fork: str) -> None:
        await live(platform.store)
        await self.fold(platform, platform.projector)
        owner = await asyncpg.connect(platform.store.dsn)
        await owner.execute("alter table events disable trigger events_append_only")
        await owner.execute(fork)
        await owner.close()

        with pytest.raises(LogBroken):
            await self.subscribe(platform, platform.projector)

    async def test_postgres_may_be_killed_and_come_back(self, own_machine: OwnMachine) -> None:
        platform = own_machine.platform
        async with running(platform.projector, await self.subscribe(platform, platform.projector)):
            await live(platform.store)
            await own_machine.kill_postgres()
            await own_machine.postgres.start()
            await live(platform.store)
            await eventually(lambda: everything_is_folded(platform))

        await assert_read_models_are_the_fold(platform)

    async def test_redis_may_be_killed_and_come_back_empty(self, own_machine: OwnMachine) -> None:
        platform = own_machine.platform
        async with running(platform.projector, await self.subscribe(platform, platform.projector)):
            await own_machine.kill_valkey()
            await live(platform.store)
            await eventually(lambda: everything_is_folded(platform))
            await own_machine.valkey.start()
            await live(platform.store)
            await eventually(lambda: everything_is_folded(platform))

        await assert_read_models_are_the_fold(platform)


async def assert_every_part_is_folded(platform: Platform, slices: Sequence[Slice]) -> None:
    """See that these parts hold each of their reports, as far as they were told, once."""
    ends: dict[int, int] = {}
    for told in slices:
        ends[told.part] = max(told.position, ends.get(told.part, 0))
    reported = await platform.pool.fetchval(
        """
        select count(*) from events join unnest($1::smallint[], $2::bigint[]) as told(part, up_to) using (part)
        where position <= up_to and type = 'ProgressRecorded'
        """,
        list(ends),
        list(ends.values()),
    )
    folded = await platform.pool.fetchval(
        "select sum(records)::int from read.progress_topics_g1 join events on position = last_position "
        "where part = any($1)",
        list(ends),
    )
    assert folded == reported > 0
