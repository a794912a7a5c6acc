"""Erased people in the read models: their rows go, poison or not, in every generation, and nobody else's do."""

import pytest

from eventstore.codec import decode
from projections.projection import Seen
from tests.workers.conftest import Platform, new_projector
from tests.workers.generations import BY_NAME, assert_alike, catch_up, rebuilt
from tests.workers.poisonous import POISON, PoisonousRecords, PoisonousSummaries
from tests.workers.read_models import assert_read_models_are_the_fold, dump, dump_of_fold
from tests.workers.running import eventually, everything_is_folded, running
from tests.workers.students import erase, live, practise
from workers.audit import audit
from workers.subscription import TailingSubscription


async def rows_about(platform: Platform, person_id: object) -> list[str]:
    """Return the tables that hold rows of a person."""
    return [
        table
        for projection in BY_NAME.values()
        for table in projection.tables
        if await platform.pool.fetchval(
            f"select exists (select from read.{table}_g1 as t(person_id) where person_id = $1)", person_id
        )
    ]


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "in two"])
async def test_the_rows_of_who_was_erased_go_and_nobody_elses(platform: Platform, *, apart: bool) -> None:
    students = await live(platform.store)
    if apart:
        await platform.project()
        assert len(await rows_about(platform, students[0])) == 5
    await erase(platform.store, students[0])

    await platform.project()

    assert await rows_about(platform, students[0]) == []
    assert [len(await rows_about(platform, other)) for other in students[1:]] == [5, 5, 5, 5]
    await assert_read_models_are_the_fold(platform)
    assert not (await audit(platform.pool, platform.cache, list(BY_NAME.values()), sample=10, seed=1)).differences


async def test_an_erasure_passes_what_is_parked(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.projector.FIRST_PAUSE", 0.001)
    projector = new_projector(platform.pool, platform.cache, PoisonousRecords(), PoisonousSummaries())
    victim, *others = await live(platform.store)

    async def fold() -> None:
        cursors = await projector.cursors()
        async with running(projector, TailingSubscription(platform.store.reader, cursors, heartbeat=0.1)):
            await eventually(lambda: everything_is_folded(platform))

    await practise(platform.store, victim, score=POISON)
    await fold()
    assert await platform.pool.fetchval("select sum(parked)::int from read.cursors") == 2
    await practise(platform.store, others[0], score=POISON)
    await erase(platform.store, victim)
    await erase(platform.store, others[0])

    await fold()

    assert await rows_about(platform, victim) == await rows_about(platform, others[0]) == []
    assert await platform.pool.fetchval("select sum(parked)::int from read.cursors") == 0
    seen = [Seen(decode(record), record) for record in await platform.store.reader.read(0)]
    assert await dump(platform.pool) == await dump_of_fold(platform.pool, seen)


@pytest.mark.parametrize("name", BY_NAME)
async def test_a_rebuild_leaves_out_who_was_erased(platform: Platform, name: str) -> None:
    first, second, *_ = await live(platform.store)
    await erase(platform.store, first)
    await platform.project()

    await rebuilt(platform, BY_NAME[name], flush=10)
    await erase(platform.store, second)
    await catch_up(platform)

    assert await rows_about(platform, first) == await rows_about(platform, second) == []
    await assert_alike(platform, BY_NAME[name], 1, 2)


async def test_a_rebuild_lets_an_erasure_pass_what_it_parks(platform: Platform) -> None:
    victim, *_ = await live(platform.store, people=3)
    await practise(platform.store, victim, score=POISON)
    await live(platform.store, people=2)
    await erase(platform.store, victim)
    await platform.project()

    await rebuilt(platform, PoisonousSummaries(), flush=10)

    assert await platform.pool.fetchval("select sum(parked)::int from read.cursors") == 0
    await assert_alike(platform, BY_NAME["progress_summary"], 1, 2)
