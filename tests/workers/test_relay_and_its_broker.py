"""Relay and its broker: whatever becomes of the broker, everything arrives, and nobody has to help."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import prometheus_client as prometheus
import pytest

from adapters.broker.topology import STUDENTS, Topology
from tests.broker import Broker
from tests.eventstore.conftest import Store, close_store, key_set, open_store
from tests.workers.fanout import QUEUES, Fanout, open_fanout, receiving, relaying
from tests.workers.running import eventually


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    opened = await open_store(database, key_set(1), key_set(1))
    yield opened
    await close_store(opened)


@pytest.fixture
async def fanout(store: Store, own_rabbitmq: Broker) -> AsyncIterator[Fanout]:
    async with open_fanout(store, own_rabbitmq.url, Topology(f"test-{uuid4().hex}")) as opened:
        yield opened


def metric(name: str, **labels: str) -> float:
    return prometheus.REGISTRY.get_sample_value(f"afterschool_relay_{name}", labels) or 0


async def test_a_broker_may_be_killed_and_wiped_at_any_time(fanout: Fanout, own_rabbitmq: Broker) -> None:
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        for what_happens in (own_rabbitmq.kill, own_rabbitmq.wipe):
            await fanout.append(50)
            await fanout.arrives(received)
            await what_happens()
            last = await fanout.append(50)
            assert await fanout.checkpoint() < last
            await own_rabbitmq.start()

            await fanout.reaches(last)
            await fanout.arrives(received)


async def test_a_broker_short_of_memory_is_waited_for_without_knocking(fanout: Fanout, own_rabbitmq: Broker) -> None:
    async with receiving(fanout.url, fanout.topology) as received, relaying(fanout.relay()):
        await fanout.reaches(await fanout.append(50))
        epoch = await fanout.epoch()

        async def is_blocked() -> bool:
            return metric("blocked") == 1

        await own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
        await eventually(is_blocked, within=10)
        last = await fanout.append(50)
        assert await fanout.checkpoint() < last
        await own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "512MB")

        await fanout.reaches(last)
        assert await fanout.epoch() == epoch
        await fanout.arrives(received)


async def test_a_queue_that_gives_no_answer_any_more_is_made_anew(fanout: Fanout, own_rabbitmq: Broker) -> None:
    deleted = metric("dumb_queues_deleted_total")
    async with relaying(fanout.relay()):
        await fanout.reaches(await fanout.append(50))
        dumb = fanout.topology.queue_names(STUDENTS, QUEUES)[0]

        await own_rabbitmq.control("eval", f"ra:force_delete_server(quorum_queues, {{'%2F_{dumb}', node()}}).")
        await fanout.reaches(await fanout.append(50))

    assert metric("dumb_queues_deleted_total") == deleted + 1


async def test_a_broker_that_declares_nothing_is_asked_again(fanout: Fanout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.relay.DECLARING", 0.2)
    timeouts = metric("restarts_total", error="TimeoutError")
    monkeypatch.setattr(Topology, "declare_queues", lambda *_: asyncio.Future[None]())

    async def has_given_up() -> bool:
        return metric("restarts_total", error="TimeoutError") >= timeouts + 2

    async with relaying(fanout.relay()):
        await eventually(has_given_up)
        monkeypatch.undo()

        await fanout.reaches(await fanout.append(5))
