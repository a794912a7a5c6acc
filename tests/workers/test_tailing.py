"""The tailing subscription keeps the contract of every subscription."""

from tests.workers.conftest import Platform
from tests.workers.subscription_contract import SubscriptionContract
from workers.projector import Projector
from workers.subscription import Subscription, TailingSubscription


class TestTailing(SubscriptionContract):
    async def subscribe(self, platform: Platform, projector: Projector) -> Subscription:
        return TailingSubscription(platform.store.reader, await projector.cursors(), heartbeat=0.1)
