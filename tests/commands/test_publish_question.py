"""PublishQuestion: it records, it refuses, it stays quiet when repeated."""

from uuid import UUID, uuid4

import pytest

from commands.publish_question import PublishQuestion, publish_question
from domain.cause import OPERATOR, Cause
from domain.errors import IdempotencyKeyReused, QuestionUnchanged
from domain.events import QuestionPublished
from domain.question import Question
from eventstore.codec import decode
from tests.domain.questions import number
from tests.eventstore.conftest import Store, a_cause


def asking(key: str, question_id: UUID, cause: Cause | None = None) -> PublishQuestion:
    question = number(key).model_copy(update={"id": question_id})
    return PublishQuestion(cause=cause or a_cause(OPERATOR, body=key.encode()), question=question)


async def published(store: Store, question_id: UUID) -> list[Question]:
    events = [decode(record) for record in await store.reader.stream(f"question-{question_id}")]
    return [event.question for event in events if isinstance(event, QuestionPublished)]


async def test_a_question_is_recorded_as_a_whole_and_about_nobody(store: Store) -> None:
    command = asking("5", uuid4())

    receipt = await publish_question(store.log, command)

    [record] = await store.reader.stream(f"question-{command.question.id}")
    assert (record.position, record.version, record.type) == (receipt.last, 1, "QuestionPublished")
    assert (record.subject, record.actor, record.sealed) == (None, OPERATOR, None)
    assert await published(store, command.question.id) == [command.question]


async def test_a_changed_question_is_its_next_version(store: Store) -> None:
    question_id = uuid4()

    for key in ("5", "6", "5"):
        await publish_question(store.log, asking(key, question_id))

    versions = await published(store, question_id)
    assert [question.version for question in versions] == [1, 2, 3]
    assert versions[0] == versions[2].model_copy(update={"version": 1}) != versions[1]


async def test_what_the_bank_has_is_refused(store: Store) -> None:
    question_id = uuid4()
    await publish_question(store.log, asking("5", question_id))

    with pytest.raises(QuestionUnchanged):
        await publish_question(store.log, asking("5", question_id))

    assert await store.reader.head() == 1


async def test_a_repeat_adds_nothing(store: Store) -> None:
    command = asking("5", uuid4())
    first = await publish_question(store.log, command)

    again = await publish_question(store.log, command)

    assert (again.last, again.repeated, await store.reader.head()) == (first.last, True, 1)


async def test_a_command_id_is_not_used_for_two_questions(store: Store) -> None:
    command = asking("5", uuid4())
    await publish_question(store.log, command)
    other = a_cause(OPERATOR, command_id=command.cause.command_id, body=b"another")

    with pytest.raises(IdempotencyKeyReused):
        await publish_question(store.log, asking("6", uuid4(), other))
