"""Assessments over HTTP: served without keys, graded against what was served, once, and only for whom it was served."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from adapters.wiring import Backend
from commands.publish_question import PublishQuestion, publish_question
from domain.learner import LIVES
from domain.question import Question
from eventstore.connections import PROJECTOR, create_pool
from projections.students import STUDENTS
from tests.domain.questions import choice, number, statement
from tests.eventstore.conftest import a_cause
from workers.projector import Projector
from workers.subscription import TailingSubscription

from .people import Person, Register

GRADE = 4


@pytest.fixture
def backend(app: FastAPI) -> Backend:
    opened: Backend = app.state.backend
    return opened


@dataclass(frozen=True)
class School:
    """A topic of three questions, one of each type, and those who may be asked."""

    client: httpx.AsyncClient
    topic: str
    questions: dict[str, Question]
    child: Person
    parent: Person

    async def start(self, by: Person | None = None, **wish: Any) -> httpx.Response:  # noqa: ANN401
        child = by or self.child
        body = {"student_id": str(child.id), "subject": "math", "topic": self.topic, "count": 3, **wish}
        return await self.client.post("/assessments/start", json=body, headers=child.headers)

    async def submit(self, answers: dict[str, Any], by: Person | None = None, **more: Any) -> httpx.Response:  # noqa: ANN401
        child = by or self.child
        key = more.pop("key", None)
        body = {
            "student_id": str(child.id),
            "subject": "math",
            "topic": self.topic,
            "questions": [{"id": number, "answer": answer} for number, answer in answers.items()],
            **more,
        }
        headers = child.headers | ({"idempotency-key": key} if key else {})
        return await self.client.post("/assessments", json=body, headers=headers)

    def answers(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
        """Return right answers, by question, but for those that are changed (by type)."""
        right = {"fill_in_blank": "1/2", "multiple_choice": "red", "true_false": True} | changed
        return {str(self.questions[kind].id): answer for kind, answer in right.items()}


@pytest.fixture
async def school(client: httpx.AsyncClient, backend: Backend, register: Register) -> School:
    topic = f"topic {uuid4().hex}"
    made: dict[str, Question] = {
        question.type: question.model_copy(
            update={"id": uuid4(), "topic": topic, "grade": GRADE, "explanation": f"Because {question.type}."}
        )
        for question in (number("1/2"), choice("a"), statement(key=True))
    }
    for question in made.values():
        await publish_question(backend.log, PublishQuestion(cause=a_cause(), question=question))
    await backend.bank.refresh()
    parent = await register("parent")
    return School(client, topic, made, await register("student", by=parent), parent)


async def test_a_set_is_served_without_anything_that_tells_the_key(school: School) -> None:
    served = await school.start()

    assert served.status_code == 201, served.text
    shown = served.json()
    assert (shown["subject"], shown["topic"], shown["short_by"]) == ("math", school.topic, 0)
    assert {one["id"] for one in shown["questions"]} == {str(one.id) for one in school.questions.values()}
    assert {frozenset(one) for one in shown["questions"]} <= {
        frozenset({"id", "type", "question"}),
        frozenset({"id", "type", "question", "options", "option_ids"}),
    }
    chosen = next(one for one in shown["questions"] if one["type"] == "multiple_choice")
    assert dict(zip(chosen["option_ids"], chosen["options"], strict=True)) == {"a": "red", "b": "green", "c": "blue"}
    assert "Because" not in served.text
    expires = datetime.fromisoformat(shown["expires_at"])
    assert abs(expires - datetime.now(UTC) - LIVES) < timedelta(minutes=1)


async def test_right_answers_in_any_writing_are_graded_and_explained(school: School) -> None:
    number_of = (await school.start()).json()["assessment_id"]

    result = await school.submit(school.answers(fill_in_blank=" 50 % ", multiple_choice="a", true_false="yes"))

    assert result.status_code == 201, result.text
    shown = result.json()
    assert (shown["assessment_id"], shown["score"], shown["correct"], shown["total"]) == (number_of, 100, 3, 3)
    for one in shown["questions"]:
        assert one["verdict"] == "correct"
        assert one["explanation"].startswith("Because")
        assert one["rule"]
        assert one["correct_answer"] in {"1/2", "red", "true"}
    assert (await school.client.get(f"/assessments/{number_of}", headers=school.parent.headers)).json() == shown


async def test_a_wrong_answer_is_told_the_right_one(school: School) -> None:
    await school.start()

    shown = (await school.submit(school.answers(fill_in_blank="0.4", multiple_choice="blue"))).json()

    assert (shown["score"], shown["correct"]) == (33.33, 1)
    wrong = next(one for one in shown["questions"] if one["type"] == "fill_in_blank")
    assert (wrong["verdict"], wrong["answer"], wrong["correct_answer"]) == ("incorrect", "0.4", "1/2")


async def test_what_cannot_be_read_is_asked_for_three_times_and_says_nothing_of_the_rest(school: School) -> None:
    await school.start()
    garbled = school.answers(fill_in_blank="one half, I think", multiple_choice="blue")

    for left in (2, 1, 0):
        asked = await school.submit(garbled)
        assert (asked.status_code, asked.json()["type"]) == (422, "/problems/answers-unreadable")
        assert asked.json()["rounds_left"] == left
        assert asked.json()["errors"] == [
            {
                "question_id": str(school.questions["fill_in_blank"].id),
                "code": "unreadable",
                "message": "This could not be read as an answer to the question.",
            }
        ]
    graded = await school.submit(garbled)

    assert (graded.status_code, graded.json()["correct"], graded.json()["total"]) == (201, 1, 3)


async def test_final_asks_nothing_again_and_what_is_missing_is_incorrect(school: School) -> None:
    await school.start()
    [only] = [number_of for number_of, answer in school.answers().items() if answer is True]

    graded = await school.submit({only: True}, final=True)

    assert (graded.status_code, graded.json()["correct"], graded.json()["total"]) == (201, 1, 3)


async def test_the_same_submission_gets_the_same_answer_and_another_is_refused(school: School) -> None:
    number_of = (await school.start()).json()["assessment_id"]
    first = await school.submit(school.answers(), key="first")

    for again in (
        await school.submit(school.answers(), key="first"),
        await school.submit(school.answers(), key="second"),
        await school.submit(school.answers(), assessment_id=number_of),
    ):
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["event-position"] == first.headers["event-position"]
    for other in (
        await school.submit(school.answers(fill_in_blank="1/3")),
        await school.submit(school.answers(fill_in_blank="1/3"), assessment_id=number_of),
    ):
        assert (other.status_code, other.json()["type"]) == (409, "/problems/assessment-submitted-before")


async def test_ten_submissions_at_once_leave_one_result(school: School, backend: Backend) -> None:
    await school.start()

    answers = await asyncio.gather(
        *(school.submit(school.answers(fill_in_blank="1/2" if n % 2 else "1/3")) for n in range(10))
    )

    accepted = [answer.json() for answer in answers if answer.status_code == 201]
    assert accepted
    assert all(one == accepted[0] for one in accepted)
    assert {answer.status_code for answer in answers} == {201, 409}
    submitted = await backend.pool.fetchval(
        "select count(*) from events where subject = $1 and type = 'AssessmentSubmitted'", school.child.id
    )
    assert submitted == 1


async def test_sets_that_are_started_at_once_share_no_question(school: School) -> None:
    answers = await asyncio.gather(*(school.start(count=1) for _ in range(3)))

    served = [one["id"] for answer in answers for one in answer.json()["questions"]]
    assert len(served) == len(set(served)) == 3


async def test_nothing_comes_twice_while_something_is_unseen_and_a_shortage_is_said(school: School) -> None:
    first, second = [(await school.start(count=2)).json() for _ in range(2)]

    assert len({one["id"] for one in first["questions"] + second["questions"]}) == 3
    assert (first["short_by"], second["short_by"]) == (0, 0)
    assert (await school.start(count=5)).json()["short_by"] == 2


@pytest.mark.parametrize("about", ["unknown", "foreign"])
async def test_questions_that_were_not_served_are_refused(school: School, register: Register, about: str) -> None:
    other = await register("student", by=school.parent)
    foreign = (await school.start(by=other)).json()
    ids = [one["id"] for one in foreign["questions"]] if about == "foreign" else [str(uuid4())]

    refused = await school.submit(dict.fromkeys(ids, "1"))
    named = await school.submit(dict.fromkeys(ids, "1"), assessment_id=foreign["assessment_id"])

    assert refused.status_code == 404
    assert (named.status_code, named.json()["type"]) == (404, "/problems/assessment-unknown")
    await school.start(count=1)
    late = await school.submit({str(uuid4()): "1"})
    assert (late.status_code, late.json()["type"]) == (422, "/problems/questions-not-served")


async def test_a_client_that_sends_a_key_gains_nothing(school: School) -> None:
    await school.start()
    blank = school.questions["fill_in_blank"]

    forged = await school.client.post(
        "/assessments",
        json={
            "student_id": str(school.child.id),
            "subject": "math",
            "topic": school.topic,
            "questions": [
                {"id": str(blank.id), "answer": "7", "correct_answer": "7", "explanation": "", "type": blank.type}
            ],
            "final": True,
        },
        headers=school.child.headers,
    )

    assert forged.status_code == 201
    assert forged.json()["correct"] == 0


async def test_who_may_not_is_refused(school: School, register: Register) -> None:
    stranger, alone = await register("parent"), await register("student")
    number_of = (await school.start()).json()["assessment_id"]

    assert (await school.start(by=alone)).json()["type"] == "/problems/consent-required"
    for path in (f"/assessments/{number_of}", f"/assessments/{uuid4()}"):
        assert (await school.client.get(path, headers=stranger.headers)).status_code == 403
        assert (await school.client.get(path)).status_code == 401
    body = {"student_id": str(school.child.id), "subject": "math", "topic": school.topic}
    by_parent = await school.client.post("/assessments/start", json=body, headers=school.parent.headers)
    assert by_parent.status_code == 403


async def test_withdrawn_consent_stops_an_open_assessment(school: School) -> None:
    await school.start()
    consents = await school.client.get(f"/users/{school.child.id}/consents", headers=school.parent.headers)
    [consent] = consents.json()["items"]
    await school.client.delete(f"/users/{school.child.id}/consents/{consent['id']}", headers=school.parent.headers)

    refused = await school.submit(school.answers())

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/consent-required")


async def test_a_topic_without_questions_is_said(school: School) -> None:
    refused = await school.start(topic="nothing here")

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/nothing-to-serve")


async def test_the_log_keeps_what_was_typed_sealed(school: School, backend: Backend) -> None:
    await school.start()
    await school.submit(school.answers(fill_in_blank="2/4"))

    records = await backend.reader.read(0, subject=school.child.id)
    [submitted] = [record for record in records if record.type == "AssessmentSubmitted"]
    assert "2/4" not in submitted.data
    assert submitted.sealed
    assert submitted.consent_id
    assert UUID(bytes=submitted.consent_id.bytes)


async def test_results_are_listed_and_counted_as_graded_and_never_with_reports(
    school: School, backend: Backend
) -> None:
    for right in ("1/2", "1/3"):
        await school.start()
        assert (await school.submit(school.answers(fill_in_blank=right))).status_code == 201
    report = {"subject": "math", "topic": school.topic, "score": 10, "time_spent": 60, "completed": True}
    await school.client.post(
        "/progress", json=report | {"student_id": str(school.child.id)}, headers=school.child.headers
    )
    await project(backend)

    listed = (
        await school.client.get(f"/assessments?student_id={school.child.id}", headers=school.parent.headers)
    ).json()
    summary = (await school.client.get(f"/progress/{school.child.id}", headers=school.parent.headers)).json()

    assert [(one["score"], one["correct"], one["total"]) for one in listed["items"]] == [(66.67, 2, 3), (100, 3, 3)]
    assert listed["next"] is None
    assert (summary["graded"]["records"], summary["graded"]["best_score"]) == (2, 100)
    assert (summary["self_reported"]["records"], summary["self_reported"]["best_score"]) == (1, 10)
    [subject] = summary["subjects"]
    assert (subject["topics"][0]["graded"]["records"], subject["graded"]["mean_score"]) == (2, 83.34)


async def project(backend: Backend) -> None:
    """Fold everything that the log holds by now."""
    pool = await create_pool(backend.settings.database_url.get_secret_value(), PROJECTOR, size=2)
    projector, head = Projector(pool, backend.cache, STUDENTS), await backend.reader.head()
    async for delivery in TailingSubscription(backend.reader, await projector.cursors()).deliveries():
        await projector.apply(delivery)
        if delivery.position >= head:
            break
    await pool.close()
