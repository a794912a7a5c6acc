"""A projector fed by a broker: nothing that a broker does can lose, double, reorder or hide an effect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import prometheus_client as prometheus
import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from adapters.broker.connection import connect
from adapters.broker.intake import PREFETCH, Arrival, Intake
from adapters.broker.messages import Batch, Heartbeat, batch_message, heartbeat_message
from adapters.broker.topology import HEARTBEAT, STUDENTS, Topology
from tests.adapters.broker.records import a_batch, a_record
from tests.broker import Broker
from tests.faults.proxy import Proxy, Towards
from tests.workers.conftest import Platform, new_projector
from tests.workers.fanout import QUEUES, Fanout, relaying
from tests.workers.read_models import assert_read_models_are_the_fold
from tests.workers.running import eventually, everything_is_folded, running
from tests.workers.students import live, practise
from workers.broker_subscription import BrokerSubscription
from workers.share import Share

AGAIN = "update fanout.relay set position = 0, event_id = null, until = '-infinity'"
"""Makes the next relay send the whole log."""
NEVER = 1000.0
"""Seconds of patience, so that nothing is read from the log unless a message reveals that it is missing."""
SOON = 0.5


class MortalShare(Share):
    """The share of a process that dies without a word."""

    async def leave(self) -> None:
        """Say nothing."""


class DeafIntake(Intake):
    """Hears no heartbeat."""

    async def take(self, events: int) -> list[Arrival]:
        return [arrival for arrival in await super().take(events) if isinstance(arrival.said, Batch)]


class ReluctantIntake(Intake):
    """Must be told more than once that it is over."""

    async def run(self) -> None:
        for _ in range(4):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


@dataclass
class Feed:
    """A platform behind a broker."""

    platform: Platform
    fanout: Fanout

    def subscription(
        self, share: Share, *, url: str = "", patience: float = NEVER, intake: type[Intake] = Intake
    ) -> BrokerSubscription:
        to_broker = partial(connect, url or self.fanout.url, name="tests projector")
        topology = self.fanout.topology
        own = intake(to_broker, STUDENTS, QUEUES, lambda: share.queues, topology=topology, silence=1.0)
        reader, cursors = self.platform.store.reader, self.platform.projector.cursors
        return BrokerSubscription(own, share, reader, cursors, heartbeat=0.1, patience=patience)

    @asynccontextmanager
    async def projecting(
        self,
        share: Share | None = None,
        *,
        url: str = "",
        patience: float = NEVER,
        intake: type[Intake] = Intake,
    ) -> AsyncIterator[Share]:
        """Let a projector process of its own work."""
        share = share or self.share()
        projector = new_projector(self.platform.pool, self.platform.cache)
        async with running(projector, self.subscription(share, url=url, patience=patience, intake=intake)):
            yield share

    def share(self) -> Share:
        return Share(self.platform.pool, STUDENTS, QUEUES)

    async def live(self, people: int = 8, reports: int = 4) -> None:
        await live(self.platform.store, people, reports)

    async def is_folded(self, within: float = 30.0) -> None:
        await eventually(lambda: everything_is_folded(self.platform), within)

    async def head_is_confirmed(self) -> None:
        await self.fanout.reaches(await self.platform.store.reader.head())

    async def check(self) -> None:
        """See that every event took effect once."""
        await self.is_folded()
        await assert_read_models_are_the_fold(self.platform)


@pytest.fixture
async def feed(platform: Platform, rabbitmq: str, topology: Topology) -> Feed:
    return Feed(platform, Fanout(platform.store, platform.pool, rabbitmq, topology))


@pytest.fixture
async def channel(rabbitmq: str) -> AsyncIterator[AbstractChannel]:
    async with await connect(rabbitmq, name="tests") as connection:
        yield await connection.channel()


@pytest.fixture
async def proxy(rabbitmq: str) -> AsyncIterator[tuple[Proxy, str]]:
    parts = urlsplit(rabbitmq)
    async with Proxy(parts.hostname or "", parts.port or 5672) as proxy:
        yield proxy, parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


def metric(name: str, **labels: str) -> float:
    return prometheus.REGISTRY.get_sample_value(f"afterschool_projector_{name}", labels) or 0


def queues(feed: Feed) -> list[str]:
    return feed.fanout.topology.queue_names(STUDENTS, QUEUES)


async def test_what_is_sent_again_takes_no_second_effect(feed: Feed) -> None:
    dropped = metric("duplicates_dropped_total")
    async with feed.projecting():
        for _ in range(2):
            await feed.platform.pool.execute(AGAIN)
            async with relaying(feed.fanout.relay()):
                await feed.live()
                await feed.head_is_confirmed()
                await feed.is_folded()

        async def came_again() -> bool:
            return metric("duplicates_dropped_total") > dropped

        await eventually(came_again)
        await feed.check()


async def test_what_the_broker_lost_is_revealed_by_what_follows_and_read_from_the_log(
    feed: Feed, channel: AbstractChannel
) -> None:
    holes = metric("gap_backfills_total")
    async with relaying(feed.fanout.relay()):
        students = await live(feed.platform.store, people=8)
        await feed.head_is_confirmed()
        for queue in queues(feed):
            await (await channel.get_queue(queue)).purge()
        for student in students:
            await practise(feed.platform.store, student)

        async with feed.projecting(intake=DeafIntake):
            await eventually(lambda: are_folded(feed, students))

    assert metric("gap_backfills_total") > holes


async def test_the_loss_of_the_last_messages_is_revealed_by_a_heartbeat(feed: Feed, channel: AbstractChannel) -> None:
    async with relaying(feed.fanout.relay()):
        await feed.live()
        await feed.head_is_confirmed()
        for queue in queues(feed):
            await (await channel.get_queue(queue)).purge()

        async with feed.projecting():
            await feed.check()


async def test_what_arrives_out_of_order_takes_effect_in_order(feed: Feed, channel: AbstractChannel) -> None:
    async with relaying(feed.fanout.relay()):
        await feed.live()
        await feed.head_is_confirmed()
        held: list[AbstractIncomingMessage] = []

        async def hold(message: AbstractIncomingMessage) -> None:
            held.append(message)

        async def holds_some() -> bool:
            return len(held) >= 2 * QUEUES

        for queue in await feed.fanout.topology.declare_queues(channel, STUDENTS, QUEUES):
            await queue.consume(hold, consumer_tag=queue.name)
        await eventually(holds_some)
        for queue_name in queues(feed):
            await (await channel.get_queue(queue_name)).cancel(queue_name)

        async with feed.projecting():
            for message in reversed(held):
                await message.nack(requeue=True)
            await feed.check()


async def test_what_was_not_folded_is_delivered_again(feed: Feed) -> None:
    await feed.live()
    async with relaying(feed.fanout.relay()):
        await feed.head_is_confirmed()
        deliveries = feed.subscription(feed.share()).deliveries()
        while not any(part.records for part in (await anext(deliveries)).slices):
            pass
        await deliveries.aclose()
    backfills = metric("gap_backfills_total")

    async with feed.projecting():
        await feed.check()

    assert metric("gap_backfills_total") == backfills


async def test_processes_share_the_queues_and_take_over_from_one_that_dies(feed: Feed) -> None:
    shares = [feed.share(), feed.share(), MortalShare(feed.platform.pool, STUDENTS, QUEUES)]

    async def is_shared() -> bool:
        taken = sorted(queue for share in shares for queue in share.queues)
        lengths = [len(share.queues) for share in shares]
        return taken == list(range(QUEUES)) and max(lengths) - min(lengths) <= 1

    async with relaying(feed.fanout.relay()), AsyncExitStack() as two:
        for share in shares[:2]:
            await two.enter_async_context(feed.projecting(share))
        async with feed.projecting(shares[2]):
            await eventually(is_shared)
            await feed.live()
            await feed.check()
        del shares[2]
        await feed.live()

        await eventually(is_shared, within=10)
        await feed.is_folded(within=10)
        await feed.check()


async def test_who_takes_over_queues_is_told_for_the_one_before_may_not_have_told_redis(feed: Feed) -> None:
    mine, other, told = feed.share(), feed.share(), asyncio.Event()
    await other.renew()

    async def shares_them() -> bool:
        return len(mine.queues) == QUEUES // 2

    async with relaying(feed.fanout.relay()):
        subscription = feed.subscription(mine)
        subscription._taken_over = told.set
        async with running(new_projector(feed.platform.pool, feed.platform.cache), subscription):
            await eventually(shares_them)
            told.clear()

            await other.leave()

            async with asyncio.timeout(10):
                await told.wait()


async def test_what_cannot_be_read_goes_aside_and_holds_nobody_up(feed: Feed, channel: AbstractChannel) -> None:
    unreadable = metric("unreadable_messages_total")
    async with relaying(feed.fanout.relay()), feed.projecting():
        await feed.live()
        await feed.is_folded()
        exchange = await feed.fanout.topology.declare_exchange(channel)
        for part in range(64):
            await exchange.publish(Message(b"poison", delivery_mode=DeliveryMode.PERSISTENT), str(part))
        await feed.live()
        await feed.check()

        dead = await channel.get_queue(feed.fanout.topology.dead)

        async def all_went_aside() -> bool:
            return metric("unreadable_messages_total") == unreadable + 64 and (
                (await channel.declare_queue(dead.name, passive=True)).declaration_result.message_count == 64
            )

        await eventually(all_went_aside)


async def test_what_a_leader_back_from_the_dead_says_moves_nothing_back(feed: Feed, channel: AbstractChannel) -> None:
    async with relaying(feed.fanout.relay()), feed.projecting():
        await feed.live()
        await feed.is_folded()
        exchange = await feed.fanout.topology.declare_exchange(channel)
        first = (await feed.fanout.log())[0]
        last = tuple(first.position if part == first.part else 0 for part in range(64))
        stale = heartbeat_message(Heartbeat(0, first.position, first.event_id, last))
        for _ in range(PREFETCH + 1):
            await exchange.publish(stale, HEARTBEAT)
        await feed.live()
        await feed.check()


async def test_what_tells_of_another_log_has_no_effect(feed: Feed, channel: AbstractChannel) -> None:
    foreign = metric("foreign_slices_total")
    async with relaying(feed.fanout.relay()), feed.projecting():
        await feed.live()
        await feed.is_folded()
        exchange = await feed.fanout.topology.declare_exchange(channel)
        await exchange.publish(heartbeat_message(Heartbeat(9, 10**6, uuid4(), (0,) * 64)), HEARTBEAT)
        for part in range(64):
            for position in (part + 1, 10**6):
                message = batch_message(a_batch(a_record(position, part)), prev=0, epoch=9)
                await exchange.publish(message, str(part))

        async def all_arrived() -> bool:
            return metric("foreign_slices_total") == foreign + 3 * 64

        await eventually(all_arrived)
        await feed.live()
        await feed.check()


async def test_a_deleted_queue_is_declared_and_read_again(feed: Feed, channel: AbstractChannel) -> None:
    async with relaying(feed.fanout.relay()), feed.projecting():
        for _ in range(2):
            await feed.live(people=4)
            await feed.is_folded()
            for queue in queues(feed):
                await channel.queue_delete(queue)
        await feed.live()
        await feed.check()


async def test_a_connection_that_falls_silent_is_made_anew_and_the_log_read_until_then(
    feed: Feed, proxy: tuple[Proxy, str]
) -> None:
    link, url = proxy
    async with relaying(feed.fanout.relay()), feed.projecting(url=url, patience=SOON):
        await feed.live()
        await feed.is_folded()
        link.go_silent()
        await feed.live()
        await feed.is_folded(within=5)
        link.come_back()

        await eventually(tails_nothing, within=20)
        await feed.live()
        await feed.check()


async def test_connections_that_break_in_the_middle_of_anything_lose_and_double_nothing(
    feed: Feed, proxy: tuple[Proxy, str]
) -> None:
    link, url = proxy
    async with relaying(feed.fanout.relay()), feed.projecting(url=url):
        for n in range(6):
            link.cut(Towards.CLIENT if n % 2 else Towards.SERVER, after=n * 1000, reset=n > 2)
            await feed.live(people=4)
            await feed.is_folded()

        assert link.cuts
        await feed.check()


async def test_while_no_relay_speaks_the_log_is_read(feed: Feed) -> None:
    async with feed.projecting(patience=SOON):
        await feed.live()
        await feed.is_folded(within=5)
        async with relaying(feed.fanout.relay()):
            await eventually(tails_nothing, within=10)
            await feed.live()
            await feed.check()


async def test_a_broker_may_be_wiped_while_reads_stay_fresh(platform: Platform, own_rabbitmq: Broker) -> None:
    topology = Topology(f"test-{uuid4().hex}")
    feed = Feed(platform, Fanout(platform.store, platform.pool, own_rabbitmq.url, topology))
    async with relaying(feed.fanout.relay()), feed.projecting(patience=SOON * 4):
        await feed.live()
        await feed.head_is_confirmed()
        await own_rabbitmq.wipe()
        await feed.live()
        await feed.is_folded(within=5)
        await own_rabbitmq.start()

        await eventually(tails_nothing)
        await feed.live()
        await feed.check()


async def tails_nothing() -> bool:
    return metric("tailed_parts") == 0


async def are_folded(feed: Feed, students: list[UUID]) -> bool:
    """Tell whether everything of these students took effect, once."""
    counted = await feed.platform.pool.fetch(
        """
        select events.subject, count(*) = (
            select sum(records) from read.progress_topics_g1 as topics where topics.student_id = events.subject
        ) as same
        from events where events.subject = any($1) and type = 'ProgressRecorded' group by events.subject
        """,
        students,
    )
    return len(counted) == len(students) and all(row["same"] for row in counted)


async def test_who_stops_lets_the_others_take_over_at_once_however_slow_the_farewell(feed: Feed) -> None:
    async with feed.projecting(intake=ReluctantIntake) as share:
        await eventually(lambda: has_queues(share))

    assert await feed.platform.pool.fetchval("select count(*) from fanout.readers") == 0


async def has_queues(share: Share) -> bool:
    return bool(share.queues)
