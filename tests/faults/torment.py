"""Torment: devices live their lives while everything they depend on is killed, frozen, flushed and cut."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import httpx

from tests.faults.clients import ZONES, Device
from tests.faults.journal import Journal
from tests.faults.proxy import Proxy, Towards
from tests.faults.system import System

DEVICES = 6
Chance = random.Random


class Torment:
    """A seed's worth of faults, dealt like cards: each comes once before any comes again."""

    def __init__(self, system: System, proxy: Proxy, journal: Journal, chance: Chance) -> None:
        self._system = system
        self._proxy = proxy
        self._journal = journal
        self._chance = chance
        self._cards: dict[str, Callable[[], Awaitable[None]]] = {
            "kill api": self._killing("api"),
            "kill projector": self._killing("projector"),
            "kill postgres": self._killing("postgres"),
            "kill valkey": self._killing("valkey"),
            "kill projector and valkey": self._killing("projector", "valkey"),
            "kill projector and flush": self._kill_and_flush,
            "flush": system.flush,
            "flush again": system.flush,
            "freeze projector": self._freezing("projector"),
            "freeze valkey": self._freezing("valkey"),
            "cut answer": self._cutting(Towards.CLIENT, 300),
            "cut request": self._cutting(Towards.SERVER, 800),
            "reset everyone": self._reset,
        }

    async def go_on(self, seconds: float) -> None:
        """Deal faults for so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        deck: list[str] = []
        while loop.time() < until:
            if not deck:
                deck = list(self._cards)
                self._chance.shuffle(deck)
            await asyncio.sleep(self._chance.uniform(0.1, 2.0))
            card = deck.pop()
            self._journal.faults[card] += 1
            await self._cards[card]()

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

    async def _reset(self) -> None:
        self._proxy.reset()


async def live_through(system: System, seconds: float, seed: int) -> Journal:
    """Let devices live, and newcomers arrive, while everything is tormented; return what they saw."""
    journal, chance, over = Journal(), Chance(seed), asyncio.Event()
    limits = httpx.Limits(max_connections=40)
    async with (
        Proxy("127.0.0.1", system.port) as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", timeout=5, limits=limits) as http,
    ):
        arrivals = Arrivals(http, journal, chance)
        devices = [arrivals.next() for _ in range(DEVICES)]
        await asyncio.gather(*(device.sign_up() for device in devices))
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(device.live(over))
            group.create_task(arrivals.go_on(over))
            await Torment(system, proxy, journal, chance).go_on(seconds)
            over.set()
        proxy.come_back()
        await system.settle()
        for device in arrivals.everyone:
            await device.read_all_i_know()
            await device.read()
    return journal


class Arrivals:
    """Devices of students who have not been there before."""

    def __init__(self, http: httpx.AsyncClient, journal: Journal, chance: Chance) -> None:
        self._http = http
        self._journal = journal
        self._chance = chance
        self.everyone: list[Device] = []

    def next(self) -> Device:
        """Return the next newcomer's device."""
        number, chance = len(self.everyone), Chance(self._chance.random())
        self.everyone.append(Device(self._http, self._journal, chance, f"device{number}", ZONES[number % len(ZONES)]))
        return self.everyone[-1]

    async def go_on(self, over: asyncio.Event) -> None:
        """Let one after the other sign up, report and read."""
        while not over.is_set():
            newcomer = self.next()
            await newcomer.sign_up()
            await newcomer.read_all_i_know()
            for doing in (newcomer.report, newcomer.read_all_i_know, newcomer.hang_up, newcomer.read):
                await doing()
