"""Brokered: the subscription of a projector process, put together from its share of the queues and the log."""

from functools import partial

import asyncpg

from adapters.broker.connection import connect
from adapters.broker.intake import Intake
from adapters.broker.topology import STUDENTS
from adapters.settings import Settings
from eventstore.reader import LogReader, Wakeups
from workers.broker_subscription import BrokerSubscription, Cursors
from workers.projector import Projector
from workers.share import Share


def subscribe(
    settings: Settings, url: str, projector: Projector, pool: asyncpg.Pool, wakeups: Wakeups, *, cursors: Cursors
) -> BrokerSubscription:
    """Return what feeds this projector from the broker at `url`."""
    share = Share(pool, STUDENTS, settings.broker_queues)
    to_broker = partial(connect, url, name="afterschool projector", ca_file=settings.rabbitmq_ca_file)
    intake = Intake(to_broker, STUDENTS, settings.broker_queues, lambda: share.queues)
    told = projector.distrust_cache
    return BrokerSubscription(intake, share, LogReader(pool), cursors, wakeups, taken_over=told)
