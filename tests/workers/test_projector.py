"""The projector: every event takes effect once, whatever the deliveries look like."""

import json
from datetime import UTC, datetime

from tests.eventstore.test_log import practise, register
from tests.workers.conftest import Platform


async def test_recorded_progress_becomes_a_summary(platform: Platform) -> None:
    student = await register(platform.store)
    for score in (5000, 8033, 10000):
        await practise(platform.store, student, score=score)

    await platform.project()

    now = datetime.now(UTC)
    answer = await platform.summary.now(student, now)
    summary = json.loads(answer.body)
    assert summary["self_reported"]["mean_score"] == 76.78
    assert summary["self_reported"]["records"] == 3
    assert summary["as_of"]["position"] == 4
    assert summary["streak"]["days"] == 1
    assert (await platform.summary.now(student, now)).body == answer.body
    assert json.loads(await platform.profile(student, now))["email"] == "ada@example.org"
