"""Batches: however a history is cut into batches, the read models are those of its fold from zero."""

from datetime import UTC, datetime, timedelta
from typing import TypedDict
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.events import Role
from projections.progress_summary import read_summary, render
from tests.projections.history import NOON, History, person, summaries_of
from tests.workers.conftest import Platform, new_projector
from tests.workers.deliveries import packed
from tests.workers.read_models import dump, dump_of_fold, wipe

STUDENTS = [person(n) for n in range(3)]
PARENT = person(9)

moments = st.one_of(
    st.integers(-3, 3).map(lambda minutes: NOON + timedelta(minutes=minutes)),  # many at the same moment
    st.datetimes(datetime(2026, 2, 2), datetime(2026, 4, 2), timezones=st.just(UTC)),  # noqa: DTZ001  given a zone
)


class Practice(TypedDict):
    """One report, as `History.practise` takes it."""

    student: UUID
    subject: str
    topic: str
    score: int
    time_spent: int
    completed: bool
    at: datetime
    recorded_at: datetime


practices = st.builds(
    Practice,
    student=st.sampled_from(STUDENTS),
    subject=st.sampled_from(["math", "Science", "日本語", 'a (b), "c" \\ d\'']),
    topic=st.sampled_from(["fractions", "x"]),
    score=st.integers(0, 10_000),
    time_spent=st.integers(0, 86_400),
    completed=st.booleans(),
    at=moments,
    recorded_at=moments,
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw what several students did, each registered before their first report, and until they were erased.

    Now and then the profile of one, or of a parent, is changed.
    """
    history = History()
    history.register(PARENT, role="parent")
    registered = set()
    erased: set[UUID] = set()
    zones = st.sampled_from(["UTC", "Europe/Rome", "Asia/Kathmandu", "America/New_York"])
    for practice in draw(st.lists(practices, max_size=30)):
        if (student := practice["student"]) in erased:
            continue
        if student not in registered:
            registered.add(student)
            history.register(student, timezone=draw(zones), recorded_at=practice["recorded_at"])
        history.practise(**practice)
        if draw(st.integers(0, 3)) == 0:
            someone = draw(st.sampled_from([*(registered - erased), PARENT]))
            role: Role = "parent" if someone == PARENT else "student"
            history.update_profile(someone, role=role, timezone=draw(zones), recorded_at=practice["recorded_at"])
        if draw(st.integers(0, 9)) == 0:
            history.erase(student)
            erased.add(student)
    return history


@given(history=histories(), cuts=st.lists(st.integers(1, 30), max_size=8))
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink against a database takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the database is wiped each time
)
async def test_any_batches_make_the_rows_and_bytes_of_the_fold_from_zero(
    platform: Platform, history: History, cuts: list[int]
) -> None:
    await wipe(platform.store.dsn)
    expected = await dump_of_fold(platform.pool, history.seen)
    projector = new_projector(platform.pool, platform.cache)

    for delivery in packed(history.records, cuts):
        await projector.apply(delivery)

    assert await dump(platform.pool) == expected
    for student, summary in summaries_of(history.seen).items():
        stored = await read_summary(platform.pool, student)
        assert stored is not None
        for day in (NOON.date(), summary.recorded_at.astimezone(summary.zone).date()):
            assert render(student, stored, day) == render(student, summary, day)


async def test_the_cursors_count_what_was_applied(platform: Platform) -> None:
    history = History()
    for student in STUDENTS:
        history.register(student)
        history.practise(student)
        history.update_profile(student)

    for delivery in packed(history.records, [1, 5]):
        await platform.projector.apply(delivery)

    applied = await platform.pool.fetch("select projection, sum(applied)::int from read.cursors group by 1 order by 1")
    assert [tuple(row) for row in applied if row["sum"]] == [
        ("progress_records", 3),
        ("progress_summary", 9),
        ("user_profile", 6),
    ]
