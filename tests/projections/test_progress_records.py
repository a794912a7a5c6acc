"""Progress records: given these events, these are the rows, one a report."""

from datetime import timedelta
from decimal import Decimal

from projections.progress_records import ProgressRecords
from tests.eventstore.test_log import practise, register
from tests.projections.history import NOON, History, person
from tests.workers.conftest import Platform

ADA = person(1)


def test_every_report_is_a_row_as_it_was_told() -> None:
    history = History(after=10)
    history.register(ADA)
    record = history.practise(
        ADA, subject="art", topic="colours", score=8750, time_spent=0, completed=False, recorded_at=NOON
    )
    history.practise(ADA, at=NOON - timedelta(days=2), recorded_at=NOON)

    records = ProgressRecords()
    first, second = records.rows(records.fold(history.seen))["progress_records"]

    assert first == (
        ADA, 12, record.event_id, "art", "colours", 8750, 0, False, "self_reported", NOON, NOON
    )  # fmt: skip
    assert second[-2:] == (NOON - timedelta(days=2), NOON)


def test_reports_are_not_cached_one_by_one() -> None:
    assert ProgressRecords().cache_key(ADA) is None


async def test_the_platforms_view_shows_points(platform: Platform) -> None:
    student = await register(platform.store)
    receipt = await practise(platform.store, student, score=8033)

    await platform.project()

    [row] = await platform.pool.fetch("select * from progress")
    assert (row["student_id"], row["subject"], row["topic"]) == (student, "math", "fractions")
    assert row["score"] == Decimal("80.33")
    assert (row["time_spent"], row["completed"], row["source"]) == (60, True, "self_reported")
    assert row["created_at"] == receipt.recorded_at
