"""Relay: the whole log reaches every queue, in order, and the checkpoint never runs ahead of what is confirmed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import asyncpg
import prometheus_client as prometheus
import pytest
from aio_pika import DeliveryMode
from aio_pika.abc import AbstractChannel, HeadersType

from adapters.broker.connection import connect
from adapters.broker.topology import STUDENTS, Topology
from domain.errors import LogBroken
from tests.eventstore.conftest import Store, close_store, key_set, open_store
from tests.faults.proxy import Proxy, Towards
from tests.workers.fanout import QUEUES, Fanout, open_fanout, receiving, relaying
from tests.workers.running import eventually
from workers.lease import Lease


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database, key_set(1), key_set(1))
    yield opened
    await close_store(opened)


@pytest.fixture
async def fanout(store: Store, rabbitmq: str, topology: Topology) -> AsyncIterator[Fanout]:
    async with open_fanout(store, rabbitmq, topology) as opened:
        yield opened


@pytest.fixture
async def channel(rabbitmq: str) -> AsyncIterator[AbstractChannel]:
    async with await connect(rabbitmq, name="tests") as connection:
        yield await connection.channel()


@pytest.fixture
async def proxy(rabbitmq: str) -> AsyncIterator[Proxy]:
    parts = urlsplit(rabbitmq)
    async with Proxy(parts.hostname or "", parts.port or 5672) as proxy:
        yield proxy


def through(proxy: Proxy, url: str) -> str:
    """Return the same address by way of the proxy."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


def restarts(error: str) -> float:
    return prometheus.REGISTRY.get_sample_value("afterschool_relay_restarts_total", {"error": error}) or 0


async def test_the_whole_log_arrives_once_in_order_and_is_then_confirmed(fanout: Fanout) -> None:
    await fanout.append(700)
    last = await fanout.append(300)

    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        await fanout.reaches(last)

        await fanout.arrives(received)
        assert len(received.positions()) == last
        received.assert_in_order_and_linked()


async def test_what_is_appended_later_arrives_too(fanout: Fanout) -> None:
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        for _ in range(5):
            last = await fanout.append(30)
            await fanout.reaches(last)

        await fanout.arrives(received)
        received.assert_in_order_and_linked()


async def test_a_restart_goes_on_from_the_checkpoint(fanout: Fanout) -> None:
    first = await fanout.append(50)
    async with relaying(fanout.relay(lease=Lease(fanout.pool, seconds=0.2))):
        await fanout.reaches(first)
    last = await fanout.append(50)

    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        await fanout.reaches(last)
        await fanout.arrives(received)

        assert received.positions() == list(range(1, last + 1))
        assert {batch.prev for batch in received.batches if batch.records[0].position > first} == {first}


async def test_a_heartbeat_tells_how_far_every_part_was_sent(fanout: Fanout) -> None:
    last = await fanout.append(20)
    log = await fanout.log()
    sent = {record.part: record.position for record in log}

    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):

        async def is_told() -> bool:
            return bool(received.heartbeats) and received.heartbeats[-1].head == last

        await eventually(is_told)

    heartbeat = received.heartbeats[-1]
    assert heartbeat.head_event == log[-1].event_id
    assert heartbeat.last == tuple(sent.get(part, 0) for part in range(64))


async def test_hearts_beat_while_nothing_happens(fanout: Fanout) -> None:
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):

        async def three_beats() -> bool:
            return len(received.heartbeats) >= 3 * QUEUES

        await eventually(three_beats, within=8)


async def test_what_is_published_survives_the_broker(fanout: Fanout, channel: AbstractChannel) -> None:
    await fanout.topology.declare_queues(channel, STUDENTS, QUEUES)
    copy = await channel.declare_queue(exclusive=True)
    for part in range(64):
        await copy.bind(fanout.topology.exchange, str(part))
    last = await fanout.append(1)

    async with relaying(fanout.relay()):
        await fanout.reaches(last)

    message = await copy.get()
    assert message.delivery_mode is DeliveryMode.PERSISTENT


async def test_what_no_queue_takes_is_not_confirmed_but_sent_again_when_one_does(
    fanout: Fanout, channel: AbstractChannel
) -> None:
    before = restarts("PublishError")
    async with relaying(fanout.relay()):
        await eventually(lambda: reaches_all_queues(fanout))
        for name in fanout.topology.queue_names(STUDENTS, QUEUES):
            await channel.queue_delete(name)
        last = await fanout.append(40)
        await fanout.reaches(last)

    assert restarts("PublishError") > before
    async with receiving(fanout.url, fanout.topology) as received:
        await eventually(lambda: has_arrived(received.positions, last))


async def test_what_a_queue_refuses_is_not_confirmed_but_sent_again_when_it_takes_it(
    fanout: Fanout, channel: AbstractChannel
) -> None:
    before = restarts("DeliveryError")
    narrow: HeadersType = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue(f"{fanout.topology.name}.narrow", durable=True, arguments=narrow)
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        for part in range(64):
            await queue.bind(fanout.topology.exchange, str(part))
        last = await fanout.append(200)

        async def is_refused() -> bool:
            return restarts("DeliveryError") > before

        await eventually(is_refused)
        assert await fanout.checkpoint() < last

        await queue.delete(if_unused=False, if_empty=False)
        await fanout.reaches(last)
        await fanout.arrives(received)


async def test_a_channel_that_the_broker_closes_is_opened_again(fanout: Fanout, channel: AbstractChannel) -> None:
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        await eventually(lambda: reaches_all_queues(fanout))

        await channel.exchange_delete(fanout.topology.exchange)
        last = await fanout.append(40)

        await fanout.reaches(last)
        await fanout.arrives(received)


@pytest.mark.parametrize("towards", [Towards.CLIENT, Towards.SERVER], ids=["confirm", "publish"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_connection_cut_in_the_middle_loses_nothing(
    fanout: Fanout,
    proxy: Proxy,
    towards: Towards,
    reset: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    async with (
        receiving(fanout.url, fanout.topology) as received,
        relaying(fanout.relay(url=through(proxy, fanout.url))),
    ):
        await eventually(lambda: reaches_all_queues(fanout))
        for n in range(3):
            proxy.cut(towards, after=n * (10 if towards is Towards.CLIENT else 10_000), reset=reset)
            last = await fanout.append(300)
            await fanout.reaches(last)

        assert proxy.cuts == 3
        await fanout.arrives(received)


async def test_a_broker_that_says_nothing_is_given_up_and_everything_sent_again(fanout: Fanout, proxy: Proxy) -> None:
    async with (
        receiving(fanout.url, fanout.topology) as received,
        relaying(fanout.relay(url=through(proxy, fanout.url))),
    ):
        await eventually(lambda: reaches_all_queues(fanout))
        proxy.go_silent()
        last = await fanout.append(100)
        accepted = proxy.accepted

        async def tries_again() -> bool:
            return proxy.accepted > accepted

        await eventually(tries_again, within=15)
        assert await fanout.checkpoint() < last
        proxy.come_back()

        await fanout.reaches(last)
        await fanout.arrives(received)


async def test_a_broker_that_is_away_costs_the_log_nothing(fanout: Fanout, proxy: Proxy) -> None:
    proxy.go_away()
    async with (
        receiving(fanout.url, fanout.topology) as received,
        relaying(fanout.relay(url=through(proxy, fanout.url))),
    ):
        last = await fanout.append(100)

        async def was_tried() -> bool:
            return proxy.accepted > 1

        await eventually(was_tried)
        assert await fanout.checkpoint() == 0
        proxy.come_back()

        await fanout.reaches(last)
        await fanout.arrives(received)


async def test_of_two_relays_one_leads_and_the_other_takes_over_within_ten_seconds(fanout: Fanout) -> None:
    async with receiving(fanout.url, fanout.topology) as received:
        async with relaying(fanout.relay()) as leader:
            await eventually(lambda: reaches_all_queues(fanout))
            async with relaying(fanout.relay()):
                first = await fanout.append(50)
                await fanout.reaches(first)
                epoch = await fanout.epoch()

                leader.cancel()  # it dies without a word: nobody releases its lease
                await asyncio.wait({leader})
                last = await fanout.append(50)
                await eventually(lambda: fanout.is_at(last), within=10)

                assert await fanout.epoch() > epoch

        await fanout.arrives(received)
        assert {batch.epoch for batch in received.batches} == {epoch, epoch + 1}


async def test_what_a_leader_back_from_the_dead_sends_is_marked_and_moves_no_checkpoint(fanout: Fanout) -> None:
    zombie_lease = Lease(fanout.pool, seconds=1.5)
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay(lease=zombie_lease)):
        await eventually(lambda: reaches_all_queues(fanout))
        async with fanout.pool.acquire() as connection, connection.transaction():
            await connection.execute("select from fanout.relay for update")  # holds the zombie's renewal up
            last = await fanout.append(40)
            await eventually(lambda: has_arrived(received.positions, last))
            await connection.execute("update fanout.relay set until = '-infinity', holder = gen_random_uuid()")
        zombies = await fanout.epoch()
        assert await fanout.checkpoint() == 0

        async with relaying(fanout.relay()):
            await fanout.reaches(last)

        assert {batch.epoch for batch in received.batches} == {zombies, zombies + 1}
        await fanout.arrives(received)


async def test_a_log_that_went_on_differently_stops_the_relay(fanout: Fanout) -> None:
    last = await fanout.append(3)
    async with relaying(fanout.relay(lease=Lease(fanout.pool, seconds=0.2))):
        await fanout.reaches(last)
    owner = await asyncpg.connect(fanout.store.dsn)
    await owner.execute("alter table events disable trigger events_append_only")
    await owner.execute("update events set event_id = gen_random_uuid() where position = $1", last)
    await owner.close()

    with pytest.raises(LogBroken):
        await asyncio.wait_for(fanout.relay().run(), 10)


async def reaches_all_queues(fanout: Fanout) -> bool:
    """Tell whether the relay leads: its first heartbeat was confirmed by every queue."""
    return bool(prometheus.REGISTRY.get_sample_value("afterschool_relay_epoch") == await fanout.epoch() > 0)


async def has_arrived(positions: Callable[[], list[int]], last: int) -> bool:
    return set(positions()) == set(range(1, last + 1))
