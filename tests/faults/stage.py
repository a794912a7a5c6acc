"""Stage: log, relay, broker, projectors and Redis in one process, stopped at any line, and judged like the rig."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import asyncpg
from aio_pika.abc import AbstractIncomingMessage
from redis.asyncio import Redis

from adapters.broker.connection import connect
from adapters.broker.intake import Intake
from adapters.broker.messages import Batch, read_message
from adapters.broker.outbox import Outbox
from adapters.broker.topology import STUDENTS, Topology
from adapters.stopping import end
from domain.errors import LogBroken
from tests.faults import oracle, verdict
from tests.workers.conftest import Platform
from tests.workers.running import eventually, everything_is_folded
from tests.workers.students import practise, register
from workers.broker_subscription import BrokerSubscription
from workers.lease import Lease
from workers.projector import Projector
from workers.relay import Relay
from workers.share import Share

QUEUES = 2
NEVER = 1000.0
"""Seconds of patience, so that nothing is read from the log that the broker was to bring."""
REST = 3.0
"""Seconds in which everything comes to rest, if it ever does."""


@dataclass
class Stage:
    """What is played on: one log, one Redis, and names of its own in one broker."""

    platform: Platform
    redis: Redis
    redis_url: str
    url: str
    topology: Topology
    arrived: set[int] = field(default_factory=set)
    """Positions that have reached a queue of somebody else's."""
    gave_up: list[str] = field(default_factory=list)
    """Which of the workers ended by themselves."""

    def relay(self, lease: Lease | None = None, *, url: str = "") -> Relay:
        """Return a relay."""
        pool = self.platform.pool
        to_broker = partial(connect, url or self.url, name="tests relay")
        groups = {STUDENTS: QUEUES}
        return Relay(lease or Lease(pool), Outbox(pool), to_broker, groups=groups, topology=self.topology)

    @asynccontextmanager
    async def relaying(self, relay: Relay | None = None) -> AsyncIterator[None]:
        """Let a relay work."""
        async with self._working("relay", asyncio.create_task((relay or self.relay()).run())):
            yield

    @asynccontextmanager
    async def projecting(self, projector: Projector | None = None) -> AsyncIterator[None]:
        """Let a projector work, fed by the broker alone."""
        folding, share = projector or self.platform.projector, Share(self.platform.pool, STUDENTS, QUEUES)
        to_broker = partial(connect, self.url, name="tests projector")
        intake = Intake(to_broker, STUDENTS, QUEUES, lambda: share.queues, topology=self.topology)
        reader = self.platform.store.reader
        subscription = BrokerSubscription(intake, share, reader, folding.cursors, heartbeat=0.1, patience=NEVER)
        async with self._working("projector", asyncio.create_task(folding.run(subscription))):
            yield

    @asynccontextmanager
    async def _working(self, name: str, task: "asyncio.Task[None]") -> AsyncIterator[None]:
        try:
            yield
        finally:
            await end(task)
        if not task.cancelled():
            try:
                task.result()
            except LogBroken:
                self.gave_up.append(name)

    async def live(self, people: int = 4, reports: int = 2) -> list[UUID]:
        """Let students register and report."""
        students = [await register(self.platform.store) for _ in range(people)]
        for _ in range(reports):
            await self.report(students)
        return students

    async def report(self, students: list[UUID]) -> None:
        """Let each student report once."""
        await asyncio.gather(*(practise(self.platform.store, student) for student in students))

    async def is_relayed(self) -> bool:
        """Tell whether the broker has confirmed the whole log."""
        head = await self.platform.store.reader.head()
        return bool(await self.platform.pool.fetchval("select position = $1 from fanout.relay", head))

    async def has_told_redis(self) -> bool:
        """Tell whether everything is folded, and Redis knows what became stale."""
        return await everything_is_folded(self.platform) and not self.platform.projector._stale

    async def relays(self) -> None:
        """Wait until it has."""
        await eventually(self.is_relayed)

    async def rests(self) -> None:
        """Wait until everything is confirmed and folded; not for ever, for with a defect it may never be."""

        async def is_at_rest() -> bool:
            return await self.is_relayed() and await everything_is_folded(self.platform)

        with suppress(TimeoutError):
            await eventually(is_at_rest, within=REST)

    async def complaints(self) -> set[str]:
        """Return by name which of the checks fail."""
        found = {f"the {name} gave up" for name in self.gave_up}

        @contextmanager
        def noting(name: str) -> Iterator[None]:
            try:
                yield
            except AssertionError:
                found.add(name)

        owner = await asyncpg.connect(self.platform.store.dsn)
        rows = [dict(row) for row in await owner.fetch(oracle.LOG)]
        everyone = oracle.lives(rows)
        with noting("log"):
            verdict.check_log(rows)
        with noting("commands"):
            await verdict.check_commands(owner, rows)
        with noting("read models"):
            await verdict.check_read_models(owner, everyone)
        with noting("counts"):
            await verdict.check_counts(owner, rows)
        with noting("relay"):
            await verdict.check_relay(owner, rows)
        with noting("arrivals"):
            verdict.check_arrivals(self.arrived, rows)
        with noting("redis"):
            assert await verdict.is_redis_true(self.redis, everyone)
        await owner.close()
        return found

    @asynccontextmanager
    async def witnessed(self) -> AsyncIterator[None]:
        """Note everything that arrives in a queue of one's own."""

        async def take(message: AbstractIncomingMessage) -> None:
            said = read_message(message)
            if isinstance(said, Batch):
                self.arrived |= {record.position for record in said.records}

        async with await connect(self.url, name="tests witness") as connection:
            channel = await connection.channel()
            exchange = await self.topology.declare_exchange(channel)
            queue = await channel.declare_queue(exclusive=True)
            for part in range(64):
                await queue.bind(exchange, str(part))
            await queue.consume(take, no_ack=True)
            yield
