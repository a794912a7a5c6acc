"""Planted defects: the checks that pass everything else do not pass these; each scene is clean without its defect."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import prometheus_client as prometheus
import pytest
from redis.asyncio import Redis

import workers.relay
from adapters.broker.connection import connect
from adapters.broker.topology import STUDENTS, Topology
from adapters.cache import Cache
from projections.cache import Lease as CacheLease
from projections.get_progress_summary import GetProgressSummary
from projections.progress_records import ProgressRecords
from projections.progress_summary import ProgressSummaries
from projections.user_profile import UserProfiles
from tests.eventstore.appends import END, an_append
from tests.faults import defects
from tests.faults.meddler import Meddler
from tests.faults.poison import poison
from tests.faults.proxy import Proxy
from tests.faults.stage import QUEUES, Stage
from tests.workers.conftest import open_platform
from tests.workers.running import eventually
from tests.workers.test_relay import through
from workers.generations import GenerationsRefused
from workers.lease import Lease, Term
from workers.projector import Projector
from workers.rebuild import rebuild
from workers.switch import switch

Plant = pytest.MonkeyPatch
Scene = Callable[[Stage, Plant], Coroutine[Any, Any, None]]


@pytest.fixture
async def stage(database: str, redis_url: str, rabbitmq: str, topology: Topology) -> AsyncIterator[Stage]:
    async with open_platform(database, redis_url) as platform, Redis.from_url(redis_url) as redis:
        stage = Stage(platform, redis, redis_url, rabbitmq, topology)
        async with stage.witnessed():
            yield stage


async def a_projector_dies_in_its_transaction(stage: Stage, plant: Plant) -> None:
    plant.setattr(workers.relay, "BEAT", 1000.0)  # nothing reveals what is lost,
    await stage.live()  # not even a second message of the same part
    async with stage.relaying():
        await stage.relays()
    dying = Dying(stage)
    async with stage.projecting(dying):
        await dying.is_inside.wait()
    async with stage.projecting():
        await stage.rests()


async def postgres_goes_away_between_two_statements(stage: Stage, _: Plant) -> None:
    async with stage.relaying(), stage.projecting(Stumbling(stage)):
        await stage.live()
        await stage.rests()


async def messages_are_lost(stage: Stage, _: Plant) -> None:
    async with stage.relaying():
        students = await stage.live()
        await stage.relays()
        async with await connect(stage.url, name="tests") as connection:
            channel = await connection.channel()
            for name in stage.topology.queue_names(STUDENTS, QUEUES):
                await (await channel.get_queue(name)).purge()
        await stage.report(students)
        async with stage.projecting():
            await stage.rests()


async def messages_come_again(stage: Stage, _: Plant) -> None:
    chance = random.Random(1)  # noqa: S311  repeatable
    async with stage.relaying(), stage.projecting(), Meddler(stage.url, QUEUES, chance, stage.topology) as meddler:
        students = await stage.live()
        await stage.rests()
        await meddler.do(meddler.repeat)
        await stage.report(students)
        await stage.rests()


async def confirms_stay_away(stage: Stage, _: Plant) -> None:
    async with Proxy(*endpoint(stage.url)) as proxy:
        async with stage.relaying(stage.relay(lease := Lease(stage.platform.pool), url=through(proxy, stage.url))):
            await eventually(a_relay_leads)
            proxy.go_silent()
            await stage.live()
            with suppress(TimeoutError):
                await eventually(stage.is_relayed, within=1)
        await lease.release()
    async with stage.relaying(), stage.projecting():
        await stage.rests()


async def a_reader_is_overtaken(stage: Stage, _: Plant) -> None:
    async with stage.relaying(), stage.projecting():
        students = await stage.live(people=1)
        await stage.rests()
        cache = Slow(stage)
        reading = asyncio.create_task(
            GetProgressSummary(stage.platform.pool, stage.platform.store.reader, cache).now(
                students[0], datetime.now(UTC)
            )
        )
        await cache.has_read.wait()
        await stage.report(students)
        await eventually(stage.has_told_redis)
        cache.may_fill.set()
        await reading
        await cache.close()


async def somebody_is_poisoned(stage: Stage, _: Plant) -> None:
    async with stage.relaying(), stage.projecting():
        students = await stage.live()
        await poison(stage.platform.store.dsn, students[0])
        await stage.report(students)
        await stage.rests()
        await stage.report(students)
        await stage.rests()


async def a_leader_sleeps_longer_than_its_lease(stage: Stage, _: Plant) -> None:
    sleeping = Sleeping(stage.platform.pool, seconds=0.3)
    async with stage.relaying(stage.relay(sleeping)), stage.projecting():
        students = await stage.live()
        await sleeping.is_advancing.wait()
        async with stage.relaying():
            await stage.report(students)
            await stage.rests()
            sleeping.wake.set()
            await asyncio.wait_for(sleeping.has_advanced.wait(), 5)


async def a_generation_lacks_somebody(stage: Stage, _: Plant) -> None:
    dsn, summaries = stage.platform.store.dsn, ProgressSummaries()
    async with stage.relaying(), stage.projecting():
        students = await stage.live()
        await stage.rests()
        assert [step async for step in rebuild(dsn, summaries)][-1].attached
        owner = await asyncpg.connect(dsn)
        await owner.execute("delete from read.progress_topics_g2 where student_id = $1", students[0])
        await owner.close()
        with suppress(GenerationsRefused):
            await switch(dsn, summaries, stage.platform.cache)


async def some_commands_are_impossible(stage: Stage, _: Plant) -> None:
    append = stage.platform.store.appender.append
    async with stage.relaying(), stage.projecting():
        await stage.live()
        with suppress(asyncpg.InvalidTextRepresentationError):
            await append(an_append(("impossible", END), data="not json"))
        await append(an_append(("possible", END)))
        await stage.rests()


PLANTED: list[tuple[Callable[[Plant], None], Scene, set[str]]] = [
    (defects.ack_before_commit, a_projector_dies_in_its_transaction, {"read models"}),
    (defects.cursor_outside_the_transaction, postgres_goes_away_between_two_statements, {"read models"}),
    (defects.ignored_prev, messages_are_lost, {"read models", "counts"}),
    (defects.no_deduplication, messages_come_again, {"counts"}),
    (defects.checkpoint_before_confirm, confirms_stay_away, {"arrivals"}),
    (defects.older_over_newer, a_reader_is_overtaken, {"redis"}),
    (defects.skipped_poison, somebody_is_poisoned, {"counts"}),
    (defects.parked_overtaken, somebody_is_poisoned, {"read models", "counts"}),
    (defects.generation_without_parity, a_generation_lacks_somebody, {"read models"}),
    (defects.leader_without_fence, a_leader_sleeps_longer_than_its_lease, {"relay"}),
]
SCENES = {scene.__name__: scene for scene in (*(scene for _, scene, _ in PLANTED), some_commands_are_impossible)}


@pytest.mark.parametrize("scene", SCENES)
async def test_without_a_defect_nobody_complains(stage: Stage, scene: str, monkeypatch: Plant) -> None:
    await SCENES[scene](stage, monkeypatch)

    assert await stage.complaints() == set()


@pytest.mark.parametrize(
    ("plant_defect", "scene", "caught_by"), PLANTED, ids=[defect.__name__ for defect, _, _ in PLANTED]
)
async def test_a_planted_defect_is_caught(
    stage: Stage, plant_defect: Callable[[Plant], None], scene: Scene, caught_by: set[str], monkeypatch: Plant
) -> None:
    plant_defect(monkeypatch)

    await scene(stage, monkeypatch)

    assert await stage.complaints() >= caught_by


async def test_sequence_numbered_positions_are_caught(stage: Stage, monkeypatch: Plant) -> None:
    await defects.sequence_numbered_positions(stage.platform.store.dsn)

    await some_commands_are_impossible(stage, monkeypatch)

    assert await stage.complaints() >= {"log", "the relay gave up"}


class Dying(Projector):
    """A projector that never gets beyond its first rows."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.platform.pool, stage.platform.cache, projections())
        self.is_inside = asyncio.Event()

    async def _advance(self, *values: Any) -> None:  # noqa: ANN401
        _, told, _, _ = values
        if any(part.records for part in told):  # with a heartbeat nothing would be lost
            self.is_inside.set()
            await asyncio.Event().wait()
        await super()._advance(*values)


class Stumbling(Projector):
    """A projector whose connection breaks once, when rows are written and cursors are not."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.platform.pool, stage.platform.cache, projections())
        self._has_stumbled = False

    async def _advance(self, *values: Any) -> None:  # noqa: ANN401
        _, told, _, _ = values
        if any(part.records for part in told) and not self._has_stumbled:
            self._has_stumbled = True
            raise ConnectionResetError
        await super()._advance(*values)


class Slow(Cache):
    """A Redis whose fills wait."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.redis_url, timeout=5.0)
        self.has_read = asyncio.Event()
        self.may_fill = asyncio.Event()

    async def fill(self, key: str, lease: CacheLease, value: bytes, *, position: int, expires_at: datetime) -> bool:
        self.has_read.set()
        await self.may_fill.wait()
        return await super().fill(key, lease, value, position=position, expires_at=expires_at)


class Sleeping(Lease):
    """The lease of a leader that falls asleep over its first checkpoint, and again after it."""

    def __init__(self, pool: asyncpg.Pool, *, seconds: float) -> None:
        super().__init__(pool, seconds=seconds)
        self.is_advancing = asyncio.Event()
        self.wake = asyncio.Event()
        self.has_advanced = asyncio.Event()

    async def renew(self, term: Term) -> None:
        """Give no sign of life."""

    async def advance(self, term: Term, position: int, event_id: UUID) -> None:
        self.is_advancing.set()
        await (asyncio.Event() if self.has_advanced.is_set() else self.wake).wait()
        try:
            await super().advance(term, position, event_id)
        finally:
            self.has_advanced.set()


def projections() -> tuple[UserProfiles, ProgressRecords, ProgressSummaries]:
    return UserProfiles(), ProgressRecords(), ProgressSummaries()


def endpoint(url: str) -> tuple[str, int]:
    """Return host and port of an address."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 5672


async def a_relay_leads() -> bool:
    """Tell whether the relay has sent its first heartbeat."""
    return prometheus.REGISTRY.get_sample_value("afterschool_relay_epoch") != 0
