"""Gaps: what was left out is read from the log, a stretch at a time, however much of it there is."""

from functools import partial

import pytest

from tests.workers.conftest import Platform
from tests.workers.read_models import assert_read_models_are_the_fold
from tests.workers.students import live
from workers.gaps import Gap, read_gaps
from workers.subscription import Delivery, Slice


async def test_a_gap_is_looked_through_a_stretch_at_a_time(platform: Platform) -> None:
    await live(platform.store, people=20, reports=10)
    log = await platform.store.reader.read(0)
    gaps = [Gap(part, 15, len(log)) for part in range(0, 64, 2)] + [Gap(part, 30, 40) for part in range(1, 64, 2)]
    async with platform.pool.acquire() as connection, connection.transaction():
        missed = await read_gaps(connection, gaps, span=20)

    assert missed.stopped == (35, log[34].event_id)
    assert missed.records == [r for r in log[15:35] if r.part % 2 == 0 or r.position > 30]


async def test_a_hole_as_large_as_the_log_is_filled_in_as_many_transactions_as_it_takes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(platform.store, people=20, reports=10)
    log = await platform.store.reader.read(0)
    monkeypatch.setattr("workers.projector.read_gaps", partial(read_gaps, span=37))
    head = log[-1]
    beat = [Slice(part, head.position - part % 5, [], head.position, head.event_id) for part in range(64)]
    last = [Slice(r.part, r.position - 1, [r], r.position, r.event_id) for r in log[-5:]]

    await platform.projector.apply(Delivery(last + beat))

    await assert_read_models_are_the_fold(platform)
    assert await platform.pool.fetchval("select min(position) from read.cursors") == head.position
