"""The broker's subscription keeps the contract of every subscription."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from adapters.broker.connection import connect
from adapters.broker.intake import Intake
from adapters.broker.topology import STUDENTS, Topology
from adapters.stopping import end
from tests.workers.conftest import Platform
from tests.workers.fanout import QUEUES, Fanout
from tests.workers.subscription_contract import SubscriptionContract
from workers.broker_subscription import BrokerSubscription
from workers.projector import Projector
from workers.share import Share
from workers.subscription import Subscription

NEVER = 1000.0
"""Seconds of patience, so that nothing is read from the log that the broker was to bring."""


class TestFromBroker(SubscriptionContract):
    """With a relay at work on the same log."""

    @pytest.fixture(autouse=True)
    async def broker(self, rabbitmq: str, topology: Topology) -> AsyncIterator[None]:
        self.rabbitmq, self.topology = rabbitmq, topology
        self.relays: dict[str, asyncio.Task[None]] = {}
        yield
        for relay in self.relays.values():
            await end(relay)

    async def subscribe(self, platform: Platform, projector: Projector) -> Subscription:
        await projector.cursors()
        fanout = Fanout(platform.store, platform.pool, self.rabbitmq, self.topology)
        if platform.store.dsn not in self.relays:
            self.relays[platform.store.dsn] = asyncio.create_task(fanout.relay().run())
        share = Share(platform.pool, STUDENTS, QUEUES)
        to_broker = partial(connect, self.rabbitmq, name="tests projector")
        intake = Intake(to_broker, STUDENTS, QUEUES, lambda: share.queues, topology=self.topology)
        return BrokerSubscription(
            intake, share, platform.store.reader, projector.cursors, heartbeat=0.1, patience=NEVER
        )
