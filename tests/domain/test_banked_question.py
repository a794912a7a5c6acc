"""Banked question: each publication is the next version, and one that changes nothing is none."""

from uuid import uuid4

import pytest

from domain.banked_question import BankedQuestion
from domain.errors import QuestionRefused, QuestionUnchanged
from domain.events import Event, QuestionPublished
from domain.question import Example, Question
from tests.domain.people import NOW
from tests.domain.questions import number


def test_a_question_enters_the_bank_as_its_first_version() -> None:
    question = number("5").model_copy(update={"id": uuid4(), "version": 7})

    banked = BankedQuestion.begin(question, NOW)

    [event] = banked.collect_events()
    assert event == QuestionPublished(
        originator_id=question.id,
        originator_version=1,
        timestamp=NOW,
        question=question.model_copy(update={"version": 1}),
    )


def test_what_is_published_again_is_the_next_version() -> None:
    banked = BankedQuestion.begin(number("5"), NOW)

    banked.publish(number("6"), NOW)
    banked.publish(number("5"), NOW)

    events = [event for event in banked.collect_events() if isinstance(event, QuestionPublished)]
    assert [event.question.version for event in events] == [1, 2, 3]
    assert banked.published == 3


@pytest.mark.parametrize("version", [1, 2, 9])
def test_what_the_bank_has_already_is_refused_whatever_its_version(version: int) -> None:
    banked = BankedQuestion.begin(number("5"), NOW)

    with pytest.raises(QuestionUnchanged):
        banked.publish(number("5").model_copy(update={"version": version}), NOW)


def test_a_replay_leads_to_the_same_decisions() -> None:
    banked = BankedQuestion.begin(number("5"), NOW)
    banked.publish(number("6"), NOW)
    events = [event for event in banked.collect_events() if isinstance(event, Event)]

    replayed = BankedQuestion.replay(events)

    assert replayed is not None
    assert vars(replayed) == vars(banked)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (number("5").model_copy(update={"accept": (Example(answer="6"),)}), "accepted: "),
        (number("5").model_copy(update={"reject": (Example(answer="10/2"),)}), "rejected: "),
        (number("1000").model_copy(update={"accept": (Example(answer="1,000", locale="de"),)}), "accepted: "),
        (number("five"), "unreadable_key"),
    ],
)
def test_a_question_with_a_defect_or_an_example_that_does_not_hold_is_refused(question: Question, reason: str) -> None:
    banked = BankedQuestion.begin(number("4"), NOW)

    for publish in (BankedQuestion.begin, banked.publish):
        with pytest.raises(QuestionRefused) as refused:
            publish(question, NOW)
        assert reason in str(refused.value.facts["reasons"])


def test_a_question_whose_examples_hold_is_published() -> None:
    examples = {"accept": (Example(answer="5.0"),), "reject": (Example(answer="6"), Example(answer="five"))}

    banked = BankedQuestion.begin(number("5").model_copy(update=examples), NOW)

    assert banked.published == 1
