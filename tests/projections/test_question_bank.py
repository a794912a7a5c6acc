"""The read model of questions: given these publications, the rows are; rebuilt, audited, switched like the others."""

import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from commands.publish_question import PublishQuestion, publish_question
from domain.question import Question
from eventstore.connections import APP, QUERIES, create_pool
from eventstore.record import part_of
from projections.published_questions import read_published
from projections.question_bank import QuestionBank
from projections.read_models import READ_MODELS
from tests.domain.questions import choice, number, statement
from tests.eventstore.conftest import Store, a_cause
from tests.workers.conftest import Platform
from tests.workers.generations import assert_alike, rebuilt
from tests.workers.students import live
from workers.audit import Audited, audit
from workers.generations import GenerationsRefused
from workers.switch import Switched, switch

QUESTIONS = READ_MODELS[-1]


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Return a connection that may do anything."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def publish(store: Store, question: Question) -> int:
    receipt = await publish_question(store.log, PublishQuestion(cause=a_cause(), question=question))
    return receipt.last


async def some_questions(platform: Platform, count: int = 12) -> list[UUID]:
    """Publish questions of all types among the events of students, some in two versions, and fold it all."""
    ids = [uuid4() for _ in range(count)]
    await live(platform.store, people=2)
    for at, question_id in enumerate(ids):
        question = [number("5"), choice("a"), statement(key=True)][at % 3].model_copy(update={"id": question_id})
        await publish(platform.store, question)
        if at % 4 == 0:
            await publish(platform.store, question.model_copy(update={"hints": ("Count.",)}))
    await platform.project()
    return ids


async def audited(platform: Platform) -> Audited:
    return await audit(platform.pool, platform.cache, READ_MODELS)


async def test_a_question_is_a_row_with_its_latest_version(platform: Platform) -> None:
    question_id = uuid4()
    first = number("5").model_copy(update={"id": question_id, "skill": "counting", "source": "page 7"})
    await publish(platform.store, first)
    await platform.project()
    position = await publish(platform.store, first.model_copy(update={"difficulty": "hard", "family": "sums"}))
    await platform.project()

    [row] = await platform.pool.fetch("select * from questions")

    [published] = (await read_published(platform.store.pool, [question_id])).values()
    assert Question.model_validate_json(row["content"]) == published
    assert {**row, "content": None, "published_at": None} == {
        "id": question_id,
        "version": 2,
        "position": position,
        "status": "published",
        "type": "fill_in_blank",
        "grade": 3,
        "subject": "math",
        "topic": "numbers",
        "skill": "counting",
        "difficulty": "hard",
        "family": "sums",
        "source": "page 7",
        "published_at": None,
        "content": None,
    }


async def test_it_holds_what_the_log_says_at_once_or_in_steps(platform: Platform) -> None:
    ids = await some_questions(platform)

    rows = await platform.pool.fetch("select id, content from questions")

    assert {row["id"] for row in rows} == set(ids)
    latest = await read_published(platform.store.pool, ids)
    assert {row["id"]: json.loads(row["content"]) for row in rows} == {
        question_id: question.model_dump(mode="json") for question_id, question in latest.items()
    }


async def test_it_is_rebuilt_switched_and_fed(platform: Platform) -> None:
    ids = await some_questions(platform)

    await rebuilt(platform, QUESTIONS)
    await assert_alike(platform, QUESTIONS, 1, 2)
    assert await switch(platform.store.dsn, QUESTIONS, platform.cache) == Switched(2, 1, [])
    await publish(platform.store, number("6").model_copy(update={"id": ids[0]}))
    await platform.project()

    await assert_alike(platform, QUESTIONS, 1, 2)
    assert await platform.pool.fetchval("select version from questions where id = $1", ids[0]) == 3


async def test_what_is_sound_is_proved_sound(platform: Platform) -> None:
    ids = await some_questions(platform)

    found = await audited(platform)

    [counted] = [one for one in found.generations if one.projection == QuestionBank.name]
    assert (found.differences, found.students, found.questions) == ([], 2, len(ids))
    assert (counted.applied, counted.handled) == (len(ids) + 3, len(ids) + 3)


@pytest.mark.parametrize(
    "planted",
    [
        "delete from read.question_bank_g1 where id = $1",
        "update read.question_bank_g1 set version = version + 1 where id = $1",
        "update read.question_bank_g1 set content = replace(content, '5', '6') || ' ' where id = $1",
    ],
)
async def test_a_planted_defect_is_found_by_audit_and_switch(
    platform: Platform, owner: asyncpg.Connection, planted: str
) -> None:
    ids = await some_questions(platform)
    await rebuilt(platform, QUESTIONS)

    await owner.execute(planted, ids[5])

    part = part_of(None, f"question-{ids[5]}")
    [told] = (await audited(platform)).differences
    assert told.startswith(f"question_bank, generation 1, question {ids[5]}: question_bank ")
    with pytest.raises(GenerationsRefused, match=rf"part {part}: 1 questions \({ids[5]}\)"):
        await switch(platform.store.dsn, QUESTIONS, platform.cache)
    assert (await switch(platform.store.dsn, QUESTIONS, platform.cache, accept_differences=True)).generation == 2


async def test_keys_of_questions_are_not_for_queries_of_learners(platform: Platform) -> None:
    await some_questions(platform, 1)
    await rebuilt(platform, QUESTIONS)

    for role in (QUERIES, APP):
        pool = await create_pool(platform.store.dsn, role, size=1)
        for relation in ("questions", "read.question_bank", "read.question_bank_g1", "read.question_bank_g2"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.fetch(f"select * from {relation}")
        await pool.close()
