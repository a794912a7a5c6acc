"""Fenced generations: every generation of a read model is fenced off as the first one is."""

from uuid import UUID

import pytest

from commands.ports import History
from eventstore.connections import QUERIES, create_pool
from eventstore.fence import Fence, Reads
from projections.projection import Projection
from projections.students import STUDENTS
from tests.eventstore.conftest import a_cause
from tests.history.examples import EXAMPLES
from tests.workers.conftest import Platform
from tests.workers.generations import rebuilt
from tests.workers.students import live
from workers.switch import switch


@pytest.mark.parametrize("projection", STUDENTS, ids=lambda projection: projection.name)
async def test_rebuilt_and_switched_to_it_shows_no_foreign_row(platform: Platform, projection: Projection) -> None:
    student, *others = await live(platform.store, people=3)
    for one in (student, *others):
        await be_graded(platform, one)
    await platform.project()
    pool = await create_pool(platform.store.dsn, QUERIES, size=1)

    for generation in (1, 2, 3):
        if generation > 1:
            await rebuilt(platform, projection)
            await switch(platform.store.dsn, projection, platform.cache)
        for table in projection.tables:
            for relation in (f"read.{table}", f"read.{table}_g{generation}"):
                assert len(await people_of(platform.pool, relation)) == 3
                assert await people_of(Fence(pool).seen_by(student), relation) == {student}
                assert await people_of(pool, relation) == set()

    await pool.close()


async def be_graded(platform: Platform, student: UUID) -> None:
    result = EXAMPLES["AssessmentSubmitted"].model_copy(update={"originator_id": student, "originator_version": 0})

    async def decide(history: History) -> None:
        history.record(result)

    await platform.store.log.execute(a_cause(student), decide)


async def people_of(rows: Reads, relation: str) -> set[UUID]:
    """Return whose rows a query finds that asks for all of them."""
    return {row[0] for row in await rows.fetch(f"select * from {relation}")}
