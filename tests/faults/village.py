"""Village: two instances of the application on machines of their own, and what happens to these machines."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import jwt
from redis.asyncio import Redis

from adapters.cache import Cache
from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.key_file import load_keys
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.loopback import free_port
from adapters.embedded.valkey import EmbeddedValkey
from adapters.settings import Settings
from commands.change_role import ChangeRole, grant_role
from commands.publish_question import PublishQuestion, publish_question
from domain.events import StaffRole
from projections.students import STUDENTS
from tests.api.conftest import UNLIMITED, key_set, running
from tests.api.live import Process
from tests.domain.questions import number
from tests.eventstore.conftest import a_cause
from workers.rebuild import rebuild
from workers.run_housekeeper import run_housekeeper
from workers.run_projector import run_projector
from workers.switch import switch

LAG = 3.0
"""Seconds for which nobody folds what is recorded."""


class Worker:
    """A worker process's loop, which can be stopped and started again."""

    def __init__(self, run: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
        self._run = run
        self._settings = settings

    def start(self) -> None:
        self._stop = asyncio.Event()
        self._running = asyncio.ensure_future(self._run(self._settings, self._stop))

    async def stop(self) -> None:
        self._stop.set()
        await self._running


class Village:
    """The applications, the workers, and the Redis between them."""

    def __init__(self, settings: Settings, valkey: EmbeddedValkey, keys: Path) -> None:
        self.settings = settings
        self.dsn = settings.database_url.get_secret_value()
        self.apis = [Process(settings) for _ in range(2)]
        self.happened: Counter[str] = Counter()
        self._valkey = valkey
        self._keys = keys
        self._projector = Worker(run_projector, settings)
        self._housekeeper = Worker(run_housekeeper, settings)

    async def start(self) -> None:
        for api in self.apis:
            await api.start()
        self._projector.start()
        self._housekeeper.start()

    async def stop(self) -> None:
        await self._projector.stop()
        await self._housekeeper.stop()
        for api in self.apis:
            await api.stop()

    async def publish(self, topic: str, count: int) -> None:
        """Publish questions that anybody of grade 4 may be asked."""
        for _ in range(count):
            question = number("1/2").model_copy(update={"id": uuid4(), "topic": topic, "grade": 4})
            command = PublishQuestion(cause=a_cause(), question=question)
            await publish_question(self.apis[0].backend.log, command)
        for api in self.apis:
            await api.backend.bank.refresh()

    async def grant(self, person_id: str, role: StaffRole) -> None:
        """Give an adult a role, as the operator does."""
        await grant_role(self.apis[0].backend.log, ChangeRole(cause=a_cause(), user_id=UUID(person_id), role=role))

    def expired(self, token: str) -> str:
        """Return a token that was good until a minute ago."""
        key = load_keys(self._keys).signing[0]
        claims = jwt.decode(token, options={"verify_signature": False})
        return jwt.encode(claims | {"exp": claims["iat"] - 60}, key.private, "ES256", {"kid": key.kid})

    async def suffer(self, chance: random.Random, over: asyncio.Event) -> None:
        """Let things happen until it is over, and each of them once at least."""
        deck: list[str] = []
        cards: dict[str, Callable[[], Awaitable[None]]] = {
            "Redis flushed": self._flush,
            "Redis restarted": self._restart_redis,
            "an API restarted": self._restart_an_api,
            "projector stopped for a while": self._lag,
            "housekeeper restarted": self._restart_housekeeper,
            "summaries rebuilt and switched": self._rebuild,
        }
        while not over.is_set() or len(self.happened) < len(cards):
            if not deck:
                deck = list(cards)
                chance.shuffle(deck)
            await asyncio.sleep(chance.uniform(0.1, 2.0))
            card = deck.pop()
            await cards[card]()
            self.happened[card] += 1

    async def _flush(self) -> None:
        async with Redis.from_url(self._valkey.url) as redis:
            await redis.flushall()

    async def _restart_redis(self) -> None:
        process = self._valkey.process
        assert process
        process.kill()
        await process.wait()
        await asyncio.sleep(0.5)
        await self._valkey.start()

    async def _restart_an_api(self) -> None:
        api = self.apis[self.happened["an API restarted"] % 2]
        await api.stop()
        await api.start()

    async def _lag(self) -> None:
        await self._projector.stop()
        await asyncio.sleep(LAG)
        self._projector.start()

    async def _restart_housekeeper(self) -> None:
        await self._housekeeper.stop()
        self._housekeeper.start()

    async def _rebuild(self) -> None:
        summaries = STUDENTS[-1]
        assert [step async for step in rebuild(self.dsn, summaries)][-1].attached
        cache = Cache(self._valkey.url, timeout=5.0)
        await switch(self.dsn, summaries, cache)
        await cache.close()


@asynccontextmanager
async def open_village(database: str, directory: Path) -> AsyncIterator[Village]:
    """Open everything on a database; the rest of the machines is made for it."""
    async with AsyncExitStack() as stack:
        valkey = EmbeddedValkey(directory / "valkey")
        await valkey.start()
        stack.push_async_callback(valkey.stop)
        port = free_port()
        auth = StandInSettings(
            database_url=database,
            url=f"http://127.0.0.1:{port}",
            publishable_key="sb_publishable_test",
            secret_key="sb_secret_test",
            key_file=directory / "auth.json",
        )
        stand_in = await stack.enter_async_context(open_stand_in(auth))
        await stack.enter_async_context(running(stand_in.app, port))
        settings = Settings.model_validate(
            {
                "database_url": database,
                "redis_url": valkey.url,
                "supabase_url": auth.url,
                "supabase_publishable_key": auth.publishable_key,
                "supabase_secret_key": auth.secret_key,
                "master_keys": key_set(),
                "fingerprint_keys": key_set(),
                "erasure_ledger": str(directory / "erasures.jsonl"),
                "audit_seconds": 0,
                **UNLIMITED,
                "pairing_limit": 60_000_000,
                "live_streams_of_account": 1000,
            }
        )
        village = Village(settings, valkey, auth.key_file)
        await village.start()
        stack.push_async_callback(village.stop)
        yield village
