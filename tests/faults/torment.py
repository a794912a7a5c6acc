"""Torment: devices live their lives while everything they depend on is killed, frozen, flushed and cut."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Self
from uuid import UUID

import httpx

from tests.faults.clients import ZONES, Device
from tests.faults.fanout_cards import Card, FanoutCards
from tests.faults.journal import Journal
from tests.faults.meddler import Meddler
from tests.faults.poison import poison
from tests.faults.proxy import Proxy, Towards
from tests.faults.system import System
from tests.workers.running import eventually

RESIDENTS = 6
QUEUES = 4
"""Of the readers, as the machine has them by default."""
ENOUGH_REPORTS = 250
"""Reports after which a resident moves away, so that the oracle can work out everybody's history in time."""
PAUSE = 0.15
"""Seconds for which a resident does nothing, at most: all parts of the system share this machine with the clients."""
QUIET = 20.0
"""Seconds in which somebody appends something, as long as anybody is there."""
RECOVERY = 60.0
"""Seconds after which a system that has not recovered from one fault never will."""
Chance = random.Random


class Torment:
    """A seed's worth of faults, dealt like cards: each comes once before any comes again."""

    def __init__(self, system: System, proxy: Proxy, journal: Journal, chance: Chance) -> None:
        self._system = system
        self._proxy = proxy
        self._journal = journal
        self._chance = chance
        self._deck: list[str] = []
        self.cards: dict[str, Card] = {
            "kill api": self._killing("api"),
            "kill projector": self._killing("projector"),
            "kill postgres": self._killing("postgres"),
            "kill valkey": self._killing("valkey"),
            "kill projector and valkey": self._killing("projector", "valkey"),
            "kill projector and flush": self._kill_and_flush,
            "kill postgres while nobody folds": self._kill_while_nobody_folds,
            "flush": system.flush,
            "flush again": system.flush,
            "freeze projector": self._freezing("projector"),
            "freeze valkey": self._freezing("valkey"),
            "freeze postgres": self._freezing("postgres"),
            "freeze api": self._freezing("api"),
            "cut answer": self._cutting(Towards.CLIENT, 300),
            "cut request": self._cutting(Towards.SERVER, 800),
            "reset everyone": self._reset,
        }

    async def go_on(self, seconds: float) -> None:
        """Deal faults for so long; some meet what is broken already."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            if not self._deck:
                self._deck = list(self.cards)
                self._chance.shuffle(self._deck)
            await asyncio.sleep(self._chance.uniform(0.1, 2.0))
            await self.deal(self._deck.pop())

    async def deal(self, card: str) -> None:
        """Let one thing happen, and every second time let it heal."""
        self._journal.story.append(card)
        if await self.cards[card]() is False:
            self._journal.story[-1] += " (in vain)"
            return
        self._journal.faults[card] += 1
        if self._chance.random() < 0.5:
            await self._heal(card)
            self._journal.story[-1] += f" (healed after {self._journal.recoveries[card][-1]:.1f} s)"

    async def _heal(self, card: str) -> None:
        """Wait until everything is up, and something that was appended since is folded, without anybody's help."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        before = head = await self._system.head()

        async def has_grown() -> bool:
            nonlocal head
            head = await self._system.head()
            return head > before

        with suppress(TimeoutError):  # nobody has anything to say any more
            await eventually(has_grown, within=QUIET)
        await eventually(lambda: self._system.is_well(head), within=RECOVERY)
        self._journal.recoveries[card].append(loop.time() - began)

    def _killing(self, *parts: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            for part in parts:
                self._system.kill(part)

        return kill

    def _freezing(self, part: str) -> Callable[[], Awaitable[None]]:
        async def freeze() -> None:
            await self._system.freeze(part, self._chance.uniform(0.1, 1.5))

        return freeze

    def _cutting(self, towards: Towards, most: int) -> Callable[[], Awaitable[None]]:
        async def cut() -> None:
            self._proxy.cut(towards, after=self._chance.randrange(most), reset=self._chance.random() < 0.5)

        return cut

    async def _kill_and_flush(self) -> None:
        self._system.kill("projector")
        await self._system.flush()

    async def _kill_while_nobody_folds(self) -> None:
        """Kill Postgres when only the log has been written for a while, and no other commit has flushed it."""
        frozen = asyncio.create_task(self._system.freeze("projector", 0.5))
        await asyncio.sleep(0.4)
        self._system.kill("postgres")
        await frozen

    async def _reset(self) -> None:
        self._proxy.reset()


class Town:
    """The devices of some students, and of newcomers who arrive all the time, behind a proxy of their own."""

    def __init__(self, system: System, seed: int) -> None:
        self.journal = Journal()
        self._system = system
        self._chance = Chance(seed)
        self._residents: list[Device] = []
        self._victims: list[Device] = []
        self._arrived = 0
        self._machines = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._proxy = await self._machines.enter_async_context(Proxy("127.0.0.1", self._system.port))
        limits = httpx.Limits(max_connections=40)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._proxy.port}", timeout=5, limits=limits)
        self._http = await self._machines.enter_async_context(client)
        chance = Chance(self._chance.random())
        self._torment = Torment(self._system, self._proxy, self.journal, chance)
        self._torment.cards["poison"] = self._poison
        if self._system.second:
            url = self._system.environment["AFTERSCHOOL_RABBITMQ_URL"]
            meddler = await self._machines.enter_async_context(Meddler(url, QUEUES, Chance(self._chance.random())))
            self._torment.cards |= FanoutCards(self._system, self._system.second, meddler, chance).deck()
        self._residents = [self._newcomer() for _ in range(RESIDENTS)]
        await asyncio.gather(*(device.sign_up() for device in self._residents))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._machines.aclose()

    async def live_through(self, seconds: float) -> None:
        """Let everybody live while everything is tormented; then everybody reports and reads once more, and rests."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for home in range(RESIDENTS):
                group.create_task(self._reside(home, over))
            group.create_task(self._welcome(over))
            if not self._victims:
                await self._torment.deal("poison")
            await self._torment.go_on(seconds)
            over.set()
        self._proxy.come_back()
        if self._system.second:
            self._system.second.come_back()
        await asyncio.gather(*(device.report_and_read_at_once() for device in self._residents))
        await self._system.settle()

    async def look(self) -> None:
        """Let every resident, and whoever is parked, read what there is to read."""
        for device in (*self._residents, *self._victims):
            await device.read_all_i_know()
            await device.read()

    def _newcomer(self) -> Device:
        number = self._arrived
        self._arrived += 1
        chance, zone = Chance(self._chance.random()), ZONES[number % len(ZONES)]
        return Device(self._http, self.journal, chance, f"device{number}", zone)

    async def _reside(self, home: int, over: asyncio.Event) -> None:
        """Let somebody live at a home, and somebody else after them."""
        while not over.is_set():
            if self._residents[home].number >= ENOUGH_REPORTS:
                newcomer = self._newcomer()
                await newcomer.sign_up()
                self._residents[home] = newcomer
            await self._residents[home].do_something()
            await asyncio.sleep(self._chance.uniform(0, PAUSE))

    async def _welcome(self, over: asyncio.Event) -> None:
        """Let one after the other sign up, report and read, and leave."""
        while not over.is_set():
            newcomer = self._newcomer()
            await newcomer.sign_up()
            for doing in (newcomer.read_all_i_know, newcomer.report, newcomer.read_all_i_know, newcomer.hang_up):
                await doing()
            await newcomer.report_and_read_at_once()
            await asyncio.sleep(PAUSE)

    async def _poison(self) -> None:
        """Let the log get an event that nobody can fold; what its student reports later waits behind it."""
        victim = self._newcomer()
        await victim.sign_up()
        await victim.report()
        await eventually(victim.is_shown_all_i_know)
        dsn = self._system.environment["AFTERSCHOOL_DATABASE_URL"]
        position = await poison(dsn, UUID(victim.student))
        self.journal.poisoned[victim.student] = victim.known = position
        self._victims.append(victim)
        await victim.report_many()
        await victim.read_all_i_know()
