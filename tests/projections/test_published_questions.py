"""Published questions: the whole bank as it was at a position, whatever is published meanwhile."""

from uuid import uuid4

import pytest

from projections import published_questions
from projections.published_questions import count_published, published_pages, read_published
from tests.eventstore.conftest import Store, store
from tests.projections.test_bank import publish

__all__ = ["store"]


async def test_the_bank_is_read_as_it_was_and_each_question_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_questions, "PAGE", 2)
    ids = [uuid4() for _ in range(5)]
    for question_id in ids:
        await publish(store, question_id)
    then = await publish(store, ids[0], hints=("Count.",))
    await publish(store, ids[3], stem="Later?")
    await publish(store, ids[0], stem="Later?")
    await publish(store, uuid4())

    pages = [page async for page in published_pages(store.pool, then)]

    found = [(question.id, question.version, question.stem) for page in pages for question in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [question_id for question_id, *_ in found] == [*ids[1:], ids[0]]
    assert {(version, stem) for _, version, stem in found[:-1]} == {(1, "How many?")}
    assert await count_published(store.pool, then) == 5


async def test_some_questions_are_read_in_their_latest_version(store: Store) -> None:
    one, two, unknown = uuid4(), uuid4(), uuid4()
    await publish(store, one)
    await publish(store, two)
    await publish(store, one, stem="Later?")

    found = await read_published(store.pool, [one, unknown])

    assert {question_id: (question.version, question.stem) for question_id, question in found.items()} == {
        one: (2, "Later?")
    }
