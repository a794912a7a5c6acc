"""Learner: which served set answers belong to, how long, how often, and only once."""

import copy
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.assessment import AskedAgain, judge
from domain.errors import (
    AfterschoolError,
    AssessmentExpired,
    AssessmentSubmittedBefore,
    AssessmentUnknown,
    QuestionsNotServed,
)
from domain.events import AssessmentStarted, ServedQuestion, UnreadableAnswer
from domain.learner import LIVES, LONGEST, RECENT, Attempt, Learner, begin
from tests.domain.people import NOW
from tests.domain.questions import number

MINUTE = timedelta(minutes=1)
FIRST, SECOND = UUID(int=101), UUID(int=102)
ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def served(assessment_id: UUID, *question_ids: UUID, topic: str = "fractions", at: Any = NOW) -> dict[str, Any]:  # noqa: ANN401
    return {
        "assessment_id": assessment_id,
        "grade": 3,
        "subject": "math",
        "topic": topic,
        "difficulty": None,
        "locale": "en",
        "snapshot": 1,
        "seed": "00",
        "policy": "by-label-1",
        "questions": tuple(
            ServedQuestion(
                question_id=one,
                version=1,
                options=(),
                skill="halves",
                difficulty="easy",
                family=f"family {one.int}",
                rating="-1",
                predicted="0.7310",
                probability="1/3",
            )
            for one in question_ids
        ),
        "short_by": 0,
        "expires_at": at + LIVES,
    }


def a_learner() -> Learner:
    return begin(UUID(int=7), served(FIRST, ONE, TWO), NOW)


def start(learner: Learner, assessment_id: UUID, *question_ids: UUID, at: Any = NOW, topic: str = "fractions") -> None:  # noqa: ANN401
    learner.trigger_event(AssessmentStarted, timestamp=at, **served(assessment_id, *question_ids, at=at, topic=topic))


def submit(learner: Learner, attempt: Attempt, at: Any = NOW) -> None:  # noqa: ANN401
    questions = [number("1").model_copy(update={"id": one.question_id}) for one in attempt.questions]
    graded = judge(questions, {}, "en", asks_again=False)
    assert not isinstance(graded, AskedAgain)
    learner.submit(attempt, graded, at)


def test_without_an_id_the_open_attempt_that_holds_the_questions_is_meant_the_latest_of_several() -> None:
    learner = a_learner()
    start(learner, SECOND, TWO, THREE, at=NOW + MINUTE)

    assert learner.find(None, [ONE], NOW).id == FIRST
    assert learner.find(None, [TWO], NOW).id == SECOND
    assert learner.find(FIRST, [TWO], NOW).id == FIRST
    assert learner.find(FIRST, [], NOW).id == FIRST


@pytest.mark.parametrize(
    ("assessment_id", "questions", "after", "error"),
    [
        (None, [THREE], MINUTE, QuestionsNotServed),
        (None, [], MINUTE, QuestionsNotServed),
        (FIRST, [ONE, THREE], MINUTE, QuestionsNotServed),
        (SECOND, [ONE], MINUTE, AssessmentUnknown),
        (FIRST, [ONE], LIVES, AssessmentExpired),
        (None, [ONE], LIVES, AssessmentExpired),
    ],
)
def test_anything_else_is_refused(
    assessment_id: UUID | None, questions: list[UUID], after: timedelta, error: type[AfterschoolError]
) -> None:
    with pytest.raises(error):
        a_learner().find(assessment_id, questions, NOW + after)


def test_a_set_is_answered_once() -> None:
    learner = a_learner()
    submit(learner, learner.find(FIRST, [ONE], NOW))

    with pytest.raises(AssessmentSubmittedBefore):
        learner.find(FIRST, [ONE], NOW)
    with pytest.raises(AssessmentSubmittedBefore):
        learner.find(None, [ONE], NOW)
    assert learner.submitted == {FIRST: {ONE, TWO}}


def test_of_what_was_answered_long_ago_only_that_it_was_is_known() -> None:
    learner = a_learner()
    for n in range(RECENT + 1):
        start(learner, UUID(int=200 + n), UUID(int=300 + n))
        submit(learner, learner.find(UUID(int=200 + n), [], NOW))

    assert sum(map(len, learner.submitted.values())) == RECENT
    with pytest.raises(AssessmentSubmittedBefore):
        learner.find(UUID(int=200), [], NOW)
    with pytest.raises(QuestionsNotServed):
        learner.find(None, [UUID(int=300)], NOW)


def test_rounds_are_counted() -> None:
    learner = a_learner()
    for left in (3, 2, 1):
        attempt = learner.find(FIRST, [ONE], NOW)
        assert attempt.rounds_left == left
        learner.ask_again(attempt, AskedAgain((UnreadableAnswer(question_id=ONE, code="blank"),)), NOW)

    assert learner.find(FIRST, [ONE], NOW).rounds_left == 0


def test_what_was_served_counts_as_seen_by_topic_the_last_time_counting() -> None:
    learner = a_learner()
    start(learner, SECOND, TWO, THREE)
    start(learner, UUID(int=103), ONE, topic="angles")

    assert learner.served == {
        (3, "math", "fractions"): {"family 1": 1, "family 2": 3, "family 3": 4},
        (3, "math", "angles"): {"family 1": 5},
    }


@pytest.mark.parametrize(("after", "seconds"), [(90, 90), (0, 0), (-5, 0), (LONGEST + 1, LONGEST)])
def test_time_counts_from_the_start_and_at_most_an_hour(after: int, seconds: int) -> None:
    learner = a_learner()
    learner.collect_events()

    submit(learner, learner.find(FIRST, [ONE], NOW), NOW + timedelta(seconds=after))

    [submitted] = learner.collect_events()
    assert submitted.time_spent == seconds  # type: ignore[attr-defined]


def test_a_copy_changes_alone() -> None:
    learner = a_learner()
    learner.collect_events()
    copied = copy.deepcopy(learner)

    start(copied, SECOND, THREE)
    submit(copied, copied.find(FIRST, [ONE], NOW))

    assert (learner.version, set(learner.open), learner.submitted, learner.collect_events()) == (1, {FIRST}, {}, [])
    assert learner.served == {(3, "math", "fractions"): {"family 1": 1, "family 2": 2}}


def test_what_is_over_for_a_day_is_forgotten() -> None:
    learner = a_learner()

    start(learner, SECOND, THREE, at=NOW + 3 * LIVES)

    assert set(learner.open) == {SECOND}
    with pytest.raises(AssessmentUnknown):
        learner.find(FIRST, [ONE], NOW + 3 * LIVES)
