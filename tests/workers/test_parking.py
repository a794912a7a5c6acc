"""Parking: what cannot be folded is set aside with all that follows of the same student, and with nobody else's."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.codec import decode
from projections.progress_records import Changes, ProgressRecords
from projections.projection import Connection, Seen
from projections.user_profile import UserProfiles
from tests.workers.conftest import Platform, new_projector
from tests.workers.poisonous import POISON, PoisonousRecords, PoisonousSummaries
from tests.workers.read_models import assert_read_models_are_the_fold, dump, dump_of_fold
from tests.workers.running import eventually, everything_is_folded, running
from tests.workers.students import live, practise, register
from workers.parking import discard, is_poison, retry, write_apart
from workers.projector import Projector
from workers.subscription import TailingSubscription


@dataclass
class Clinic:
    """A platform whose projector cannot fold some reports."""

    platform: Platform
    records: PoisonousRecords
    summaries: PoisonousSummaries
    projector: Projector

    async def fold(self) -> None:
        """Let the projector work until every event is behind its cursors."""
        cursors = await self.projector.cursors()
        async with running(self.projector, TailingSubscription(self.platform.store.reader, cursors, heartbeat=0.1)):
            await eventually(lambda: everything_is_folded(self.platform))

    def mend(self) -> None:
        """Let everything be folded from now on."""
        self.records.mended = self.summaries.mended = True

    async def retry(self, student: UUID) -> tuple[int, int]:
        projections = {projection.name: projection for projection in (UserProfiles(), self.records, self.summaries)}
        async with self.platform.pool.acquire() as connection:
            applied, still, _ = await retry(connection, projections, student)
            return applied, still

    async def discard(self, student: UUID, position: int) -> int:
        async with self.platform.pool.acquire() as connection:
            return await discard(connection, student, position)

    async def parked(self) -> list[tuple[str, UUID, int, str]]:
        """Return what is parked: projection, student, position, error."""
        rows = await self.platform.pool.fetch(
            "select projection, student_id, position, error from read.parked_events where discarded_at is null "
            "order by projection, position"
        )
        return [tuple(row) for row in rows]

    async def counts(self) -> dict[str, tuple[int, int, int]]:
        """Return, by projection, the events applied, the rows parked, and how many cursors say are parked."""
        rows = await self.platform.pool.fetch(
            """
            select projection, sum(applied)::int, (
                select count(*)::int from read.parked_events as p where p.projection = c.projection
            ), sum(parked)::int
            from read.cursors as c group by projection
            """
        )
        return {name: (applied, rows_parked, parked) for name, applied, rows_parked, parked in rows}


@pytest.fixture
def clinic(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    records, summaries = PoisonousRecords(), PoisonousSummaries()
    monkeypatch.setattr("workers.projector.FIRST_PAUSE", 0.001)
    projector = new_projector(platform.pool, platform.cache, records, summaries)
    return Clinic(platform, records, summaries, projector)


async def suffer(clinic: Clinic) -> tuple[UUID, list[int]]:
    """Let one student among others report something that cannot be folded, and more after it; return the positions."""
    store = clinic.platform.store
    victim, *_ = await live(store, people=5, reports=3)
    bad = await practise(store, victim, score=POISON)
    await live(store, people=3, reports=2)
    after = await practise(store, victim, score=9900)
    return victim, [bad.last, after.last]


async def test_only_the_student_whose_event_cannot_be_folded_is_parked(clinic: Clinic) -> None:
    victim, positions = await suffer(clinic)

    await clinic.fold()

    bad, after = positions
    assert await clinic.parked() == [
        ("progress_records", victim, bad, "DivisionByZeroError"),
        ("progress_records", victim, after, ""),
        ("progress_summary", victim, bad, "ArithmeticError"),
        ("progress_summary", victim, after, ""),
    ]
    seen = [Seen(decode(record), record) for record in await clinic.platform.store.reader.read(0)]
    folded = [one for one in seen if one.record.position not in positions]
    assert await dump(clinic.platform.pool) == await dump_of_fold(clinic.platform.pool, folded)


async def test_what_was_applied_and_what_is_parked_is_all_there_is(clinic: Clinic) -> None:
    await suffer(clinic)

    await clinic.fold()

    types = Counter(record.type for record in await clinic.platform.store.reader.read(0))
    registrations, reports = types["UserRegistered"], types["ProgressRecorded"]
    assert await clinic.counts() == {
        "user_profile": (registrations, 0, 0),
        "progress_records": (reports - 2, 2, 2),
        "progress_summary": (registrations + reports - 2, 2, 2),
        "assessment_results": (0, 0, 0),
        "question_bank": (0, 0, 0),
    }


async def test_later_events_of_a_parked_student_wait_in_order(clinic: Clinic) -> None:
    victim, positions = await suffer(clinic)
    await clinic.fold()
    later = [(await practise(clinic.platform.store, victim, score=n)).last for n in range(3)]

    await clinic.fold()

    assert [position for name, _, position, _ in await clinic.parked() if name == "progress_summary"] == [
        *positions,
        *later,
    ]


async def test_a_mended_projection_folds_what_was_parked_as_if_nothing_had_happened(clinic: Clinic) -> None:
    victim, positions = await suffer(clinic)
    await clinic.fold()
    clinic.mend()

    assert await clinic.retry(victim) == (2 * len(positions), 0)

    assert await clinic.parked() == []
    await assert_read_models_are_the_fold(clinic.platform)
    assert {parked for _, _, parked in (await clinic.counts()).values()} == {0}


async def test_what_still_cannot_be_folded_stays_parked(clinic: Clinic) -> None:
    victim, _ = await suffer(clinic)
    await clinic.fold()
    before = await clinic.parked(), await clinic.counts(), await dump(clinic.platform.pool)
    clinic.records.mended = True

    assert await clinic.retry(victim) == (2, 2)
    clinic.records.mended = False

    assert await clinic.parked() == before[0][2:]
    assert await clinic.platform.pool.fetchval("select min(tries) from read.parked_events") == 2


async def test_a_discarded_event_is_left_out_and_the_rest_is_folded(clinic: Clinic) -> None:
    victim, (bad, _) = await suffer(clinic)
    await clinic.fold()

    assert await clinic.discard(victim, bad) == 2
    assert await clinic.retry(victim) == (2, 0)

    seen = [Seen(decode(r), r) for r in await clinic.platform.store.reader.read(0) if r.position != bad]
    assert await dump(clinic.platform.pool) == await dump_of_fold(clinic.platform.pool, seen)
    assert await clinic.counts() == {
        name: (applied, int(name.startswith("progress_")), 0)
        for name, (applied, _, _) in (await clinic.counts()).items()
    }
    assert await clinic.discard(victim, bad) == 0


async def test_a_discarded_event_that_arrives_again_stops_nobody(clinic: Clinic) -> None:
    victim, (bad, _) = await suffer(clinic)
    await clinic.fold()
    await clinic.discard(victim, bad)
    await clinic.retry(victim)
    before = await dump(clinic.platform.pool)
    whole_log = TailingSubscription(clinic.platform.store.reader, dict.fromkeys(range(64), 0))

    await clinic.projector.apply(await anext(aiter(whole_log.deliveries())))

    assert await dump(clinic.platform.pool) == before


async def test_a_query_says_how_much_of_a_parked_student_is_missing_and_nobody_elses(clinic: Clinic) -> None:
    victim, positions = await suffer(clinic)
    other = await register(clinic.platform.store)
    await clinic.fold()
    now, head = datetime.now(UTC), await clinic.platform.store.reader.head()

    of_victim = await clinic.platform.summary.at_least(victim, now, head)
    of_other = await clinic.platform.summary.at_least(other, now, head)

    assert (of_victim.stale_by, of_other.stale_by) == (2, 0)
    assert json.loads(of_victim.body)["as_of"]["position"] < positions[0]


async def test_a_machines_failure_parks_nobody(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(clinic.platform.store)
    failures = iter([asyncpg.AdminShutdownError(), OSError(), asyncpg.DeadlockDetectedError(), MemoryError()] * 2)

    async def fail(*_: object) -> None:
        if error := next(failures, None):
            raise error

    monkeypatch.setattr(clinic.records, "write", fail)
    cursors = await clinic.projector.cursors()
    async with running(clinic.projector, TailingSubscription(clinic.platform.store.reader, cursors, heartbeat=0.1)):
        await eventually(lambda: everything_is_folded(clinic.platform))

    assert next(failures, None) is None
    assert await clinic.parked() == []


async def test_retrying_while_a_projector_works_doubles_nothing(clinic: Clinic) -> None:
    store, victims = clinic.platform.store, []
    for _ in range(4):
        victim, _ = await suffer(clinic)
        victims.append(victim)
    await clinic.fold()
    clinic.mend()
    cursors = await clinic.projector.cursors()
    async with running(clinic.projector, TailingSubscription(store.reader, cursors, heartbeat=0.1)):
        for _ in range(5):
            await asyncio.gather(
                *(practise(store, victim) for victim in victims), *(clinic.retry(victim) for victim in victims)
            )
        await eventually(lambda: everything_is_folded(clinic.platform))
    for victim in victims:
        await clinic.retry(victim)

    assert await clinic.parked() == []
    await assert_read_models_are_the_fold(clinic.platform)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the log is the same each time, the read models are rolled back
@given(poisoned=st.sets(st.integers(0, 39), max_size=6))
async def test_bisection_finds_the_poisonous_events_and_no_other(clinic: Clinic, poisoned: set[int]) -> None:
    reader = clinic.platform.store.reader
    if not await reader.head():
        await live(clinic.platform.store, people=8, reports=5)
    records = [record for record in await reader.read(0) if record.type == "ProgressRecorded"]
    bad = {records[n].position for n in poisoned}

    class Bitter(ProgressRecords):
        async def write(self, connection: Connection, changes: Changes, generation: int) -> None:
            await super().write(connection, changes, generation)
            if any(row[1] in bad for row in self.rows(changes)["progress_records"]):
                raise ValueError

    async with clinic.platform.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        poison = await write_apart(connection, Bitter(), 1, records)
        written = await connection.fetch("select position from read.progress_records_g1 order by position")
        await transaction.rollback()

    first_bad = {r.subject: r.position for r in reversed(records) if r.position in bad}
    parked = [r.position for r in records if r.subject in first_bad and r.position >= first_bad[r.subject]]
    assert sorted(record.position for one in poison for record in one.records) == parked
    assert {one.records[0].position for one in poison} == set(first_bad.values())
    assert [row["position"] for row in written] == [r.position for r in records if r.position not in parked]


@pytest.mark.parametrize(
    ("error", "to_blame"),
    [
        (ValueError(), True),
        (LookupError(), True),
        (asyncpg.NumericValueOutOfRangeError(), True),
        (asyncpg.UniqueViolationError(), True),
        (asyncpg.InterfaceError("connection is closed"), False),
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.DiskFullError(), False),
        (asyncpg.UndefinedTableError(), False),
        (asyncpg.ReadOnlySQLTransactionError(), False),
        (TimeoutError(), False),
        (ConnectionResetError(), False),
        (MemoryError(), False),
        (asyncio.CancelledError(), False),
    ],
)
def test_an_event_is_to_blame_only_where_no_machine_can_be(error: BaseException, to_blame: bool) -> None:  # noqa: FBT001
    assert is_poison(error) is to_blame
