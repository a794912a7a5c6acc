"""Fan-out cards: what can happen to relays, projectors and their broker, beside what happens to everything else."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.faults.meddler import Meddler
from tests.faults.proxy import Proxy, Towards
from tests.faults.second import PROJECTOR, RELAY, Second
from tests.faults.system import System
from tests.workers.running import eventually

Card = Callable[[], Awaitable[bool | None]]
"""Lets something happen, and says False where it could not."""
LEASE = 5.0
"""Seconds for which the lead of a relay lasts that does not renew it."""
SHARE = 4.0
"""Seconds for which a projector keeps its share of the queues without a sign of life."""
FRAMES = 60
"""Bytes within which a confirm or an ack of the broker's protocol is cut in its middle, or two of them are parted."""


class FanoutCards:
    """The cards of a system with a broker."""

    def __init__(self, system: System, second: Second, meddler: Meddler, chance: random.Random) -> None:
        self._system = system
        self._second = second
        self._meddler = meddler
        self._chance = chance

    def deck(self) -> dict[str, Card]:
        """Return every card by its name."""
        meddler, relay, projector = self._meddler, self._second.relay_link, self._second.projector_link
        meddlings = {
            "repeat messages": meddler.repeat,
            "shuffle messages": meddler.shuffle,
            "replay the oldest messages": meddler.replay,
            "drop messages": meddler.drop,
            "garble messages": meddler.garble,
            "delete a queue": meddler.delete_queue,
            "delete everything in the broker": meddler.delete_everything,
        }
        return {
            "kill relay": self._killing("relay"),
            "kill both relays": self._killing("relay", RELAY),
            "kill both projectors": self._killing("projector", PROJECTOR),
            "kill broker": self._killing("rabbitmq"),
            "kill broker and relay": self._killing("rabbitmq", "relay"),
            "kill broker and projectors": self._killing("rabbitmq", "projector", PROJECTOR),
            "restart broker": self._restart_broker,
            "wipe broker": self._wipe_broker,
            "freeze broker": self._freezing("rabbitmq", 0.5, 4.0),
            "freeze the leader beyond its lease": self._freeze_leader,
            "freeze projector beyond its share": self._freezing("projector", SHARE, SHARE + 3),
            "two leaders": self._system.dethrone,
            "cut confirm": self._cut_confirm,
            "cut publish": self._cut_publish,
            "cut ack": self._cut_ack,
            "cut delivery": self._cut_delivery,
            "reset relay's link": self._resetting(relay),
            "reset projector's link": self._resetting(projector),
            "silence relay's link": self._silencing(relay),
            "silence projector's link": self._silencing(projector),
            **{name: self._meddling(meddling) for name, meddling in meddlings.items()},
        }

    def _killing(self, *parts: str) -> Card:
        async def kill() -> None:
            for part in parts:
                self._system.kill(part)

        return kill

    def _freezing(self, part: str, shortest: float, longest: float) -> Card:
        async def freeze() -> None:
            await self._system.freeze(part, self._chance.uniform(shortest, longest))

        return freeze

    def _meddling(self, meddling: Callable[..., Awaitable[None]]) -> Card:
        async def meddle() -> None:
            await self._meddler.do(meddling)

        return meddle

    def _resetting(self, link: Proxy) -> Card:
        async def reset() -> bool:
            if is_used := await self._occupy(link):
                link.reset()
            return is_used

        return reset

    def _silencing(self, link: Proxy) -> Card:
        async def silence() -> bool:
            is_used = await self._occupy(link)
            link.go_silent()
            await asyncio.sleep(self._chance.uniform(0.5, 3.0))
            link.come_back()
            return is_used

        return silence

    async def _restart_broker(self) -> None:
        self._system.stop("rabbitmq")

    async def _wipe_broker(self) -> None:
        self._system.wipe_broker()

    async def _freeze_leader(self) -> None:
        leader = RELAY if self._second.relay_link.is_used else "relay"
        await self._system.freeze(leader, LEASE + self._chance.uniform(0.5, 2.0))

    async def _cut_confirm(self) -> bool:
        return await self._cut(self._second.relay_link, Towards.CLIENT)

    async def _cut_publish(self) -> bool:
        return await self._cut(self._second.relay_link, Towards.SERVER)

    async def _cut_ack(self) -> bool:
        return await self._cut(self._second.projector_link, Towards.SERVER)

    async def _cut_delivery(self) -> bool:
        return await self._cut(self._second.projector_link, Towards.CLIENT)

    async def _cut(self, link: Proxy, towards: Towards) -> bool:
        """Cut a link at work, as soon as so many bytes have passed; tell whether that was before long."""
        await self._occupy(link)
        cuts = link.cuts
        link.cut(towards, after=self._chance.randrange(FRAMES), reset=self._chance.random() < 0.5)
        if not await within(10.0, lambda: link.cuts > cuts):
            link.come_back()
        return link.cuts > cuts

    async def _occupy(self, link: Proxy) -> bool:
        """Give the lead to the relay that has this link; the projector that has the other one always has its share."""
        if link is self._second.relay_link and not link.is_used:
            await self._system.dethrone()
        return await within(10.0, lambda: link.is_used)


async def within(seconds: float, is_true: Callable[[], bool]) -> bool:
    """Wait until it is true and tell whether it is by then: what else was broken may keep it from happening."""

    async def ask() -> bool:
        return is_true()

    with suppress(TimeoutError):
        await eventually(ask, within=seconds)
    return is_true()
