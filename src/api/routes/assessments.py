"""Assessments: a student is served questions, answers them, and gets a result that says why."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import Depends
from fastapi.routing import APIRoute
from prometheus_client import Counter
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend, backend_of
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.errors import AnswersUnreadable as AskedAgain
from api.models import Id, Label, Model, shown_as
from api.query import PathId, Query
from api.route import Route
from api.routes.accesses import Cursor
from api.security import SignedIn, Viewer, check_may_follow
from commands.start_assessment import StartAssessment, new_assessment_id
from commands.start_assessment import start_assessment as handle_start
from commands.submit_assessment import SubmitAssessment
from commands.submit_assessment import submit_assessment as handle_submit
from domain.access import Rule, may_record_progress
from domain.assessment import ROUNDS, Answer
from domain.cause import Cause, Receipt
from domain.errors import (
    AssessmentSubmittedBefore,
    AssessmentUnknown,
    IdempotencyKeyReused,
    NotAllowed,
)
from domain.events import AnswersUnreadable, AssessmentSubmitted, UnreadableAnswer
from domain.grading.marks import Code
from domain.question import Difficulty
from eventstore.codec import decode
from projections.assessment import find_assessment
from projections.assessment_results import PAGE

KEYS_DIFFER = Counter(
    "afterschool_client_keys_differ", "Answers that came with a correct_answer of the client's which is not the key."
)

MESSAGES: Mapping[Code, str] = {
    "blank": "There is no answer yet.",
    "too_long": "This is too long to be read: at most 256 characters.",
    "unreadable": "This could not be read as an answer to the question.",
    "bad_grouping": "The separators in this number are not where they belong.",
    "division_by_zero": "Nothing can be divided by zero.",
    "wrong_form": "Write this number in another form, as the question asks.",
    "not_simplified": "Simplify this fraction.",
    "wrong_precision": "Write this number with as many digits as the question asks for.",
    "missing_percent": "The percent sign is missing.",
    "missing_unit": "The unit is missing.",
    "nothing_chosen": "Nothing is chosen yet.",
    "too_many_chosen": "Too much is chosen.",
    "wrong_count": "Another number of answers is asked for.",
    "unknown_choice": "This is none of the options.",
}
"""What a learner is told of an answer that could not be read."""

Locale = Annotated[str, StringConstraints(pattern="^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$")]
Text = Annotated[str, StringConstraints(max_length=4096)]


class AssessmentWish(Model):
    """What a student wants to be asked."""

    model_config = shown_as(
        {
            "student_id": "0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d",
            "subject": "Mathematics",
            "topic": "Fractions",
            "count": 5,
        }
    )

    student_id: Annotated[Id, Field(description="The signed-in student's own id.")]
    subject: Annotated[Label, Field(max_length=64)]
    topic: Annotated[Label, Field(max_length=128)]
    count: Annotated[int, Field(ge=1, le=50, description="How many questions.")] = 10
    difficulty: Annotated[Difficulty | None, Field(description="Only questions of this difficulty.")] = None
    locale: Annotated[Locale, Field(description="How the student writes numbers, as en, en-IN or de.")] = "en"


class AnsweredQuestion(Model):
    """An answer; only `id` and `answer` count, the other fields are taken for the contract's sake and ignored."""

    id: Id
    answer: Annotated[
        Text | bool | Annotated[tuple[Text, ...], Field(max_length=50)] | None,
        Field(description="An option's text or id, a text, a boolean for a statement, a list for several."),
    ] = None
    type: Literal["multiple_choice", "true_false", "fill_in_blank"] | None = None
    question: Text | None = None
    options: Annotated[tuple[Text, ...], Field(max_length=50)] | None = None
    option_ids: Annotated[tuple[Text, ...], Field(max_length=50)] | None = None
    correct_answer: Text | bool | Annotated[tuple[Text, ...], Field(max_length=50)] | None = None
    explanation: Text | None = None


class Submission(Model):
    """Answers to a served set; without `assessment_id` the open one that holds these questions is meant."""

    model_config = shown_as(
        {
            "student_id": "0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d",
            "subject": "Mathematics",
            "topic": "Fractions",
            "questions": [{"id": "7d0c5b50-2b1c-4f4e-8a7e-3f1f7c1b2a10", "answer": "1/2"}],
        }
    )

    assessment_id: Id | None = None
    student_id: Annotated[Id, Field(description="The signed-in student's own id.")]
    subject: Annotated[Label, Field(max_length=64)]
    topic: Annotated[Label, Field(max_length=128)]
    questions: Annotated[tuple[AnsweredQuestion, ...], Field(min_length=1, max_length=50)]
    final: Annotated[bool, Field(description="Ask nothing again: what cannot be read is incorrect.")] = False


class ServedQuestion(BaseModel):
    """A question as it is served: options in the order to show them, each with its id."""

    id: UUID
    type: Literal["multiple_choice", "true_false", "fill_in_blank"]
    question: str
    options: list[str] | None = None
    option_ids: list[str] | None = None


class ServedAssessment(BaseModel):
    """What to answer until `expires_at`; `short_by` says how many questions there were too few."""

    assessment_id: UUID
    student_id: UUID
    subject: str
    topic: str
    questions: list[ServedQuestion]
    short_by: int
    expires_at: str


class JudgedQuestion(ServedQuestion):
    """A question with what was answered, how that was read, and by which rule it was judged."""

    verdict: Literal["correct", "incorrect"]
    points: str
    answer: str | bool | list[str] | None
    read_as: str
    correct_answer: str
    explanation: str
    rule: str
    code: str | None = None
    feedback: str | None = None


class AssessmentResult(BaseModel):
    """The result; `score` is from 0 to 100."""

    assessment_id: UUID
    student_id: UUID
    subject: str
    topic: str
    score: float
    correct: int
    total: int
    questions: list[JudgedQuestion]
    created_at: str


class ResultsQuery(Model):
    """Whose results, and from where on: without `after`, from the last one backwards."""

    student_id: Id
    after: Cursor | None = None


class ListedResult(BaseModel):
    """A result without its questions."""

    assessment_id: UUID
    subject: str
    topic: str
    score: float
    correct: int
    total: int
    time_spent: int
    created_at: str


class Results(BaseModel):
    """Results, the last first; `next` is the `after` of the next page, if there is one."""

    items: Annotated[list[ListedResult], Field(max_length=PAGE)]
    next: str | None


class FollowingInQuery:
    """A dependency that lets in the student whom the query string names and who may follow them."""

    admits = Rule.FOLLOWER

    def __init__(self) -> None:
        self._signed_in = SignedIn()
        self._query = Query(ResultsQuery)
        self.document = self._query.document

    async def __call__(self, request: Request) -> tuple[Viewer, ResultsQuery]:
        """Return who sends this request, and what is asked."""
        viewer, query = await self._signed_in(request), await self._query(request)
        await check_may_follow(request, viewer, query.student_id)
        return viewer, query


class FollowingAssessment:
    """A dependency that lets in the student of an assessment and who may follow them; all others are refused alike."""

    admits = Rule.FOLLOWER

    def __init__(self) -> None:
        self._signed_in = SignedIn()
        self._id = PathId("id")

    def document(self, route: APIRoute) -> None:
        """Show the id among the route's parameters in OpenAPI."""
        self._id.document(route)

    async def __call__(self, request: Request) -> tuple[Viewer, UUID]:
        """Return who sends this request, and which assessment is meant."""
        viewer, number = await self._signed_in(request), await self._id(request)
        try:
            records = await find_assessment(backend_of(request).pool, number)
        except AssessmentUnknown:
            records = []
        await check_may_follow(request, viewer, records[0].subject or uuid4() if records else uuid4())
        return viewer, number


async def start_assessment(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    wish: Annotated[Received[AssessmentWish], Depends(Body(AssessmentWish))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Serve questions of a topic, at the student's grade: what was not seen comes first, and nothing twice.

    They count as seen from here on, and can be answered for 24 hours. Needs a guardian's consent to `learning`.
    """
    content = wish.content
    if not may_record_progress(viewer.user_id, content.student_id):
        raise NotAllowed
    command_id = attempt.command_id("StartAssessment", str(viewer.user_id))
    command = StartAssessment(
        cause=attempt.cause("StartAssessment", command_id, viewer.user_id, wish.canonical),
        student_id=content.student_id,
        subject=content.subject,
        topic=content.topic,
        count=content.count,
        difficulty=content.difficulty,
        locale=content.locale,
    )
    receipt = await handle_start(backend.log, backend.bank, command)
    served = await backend.seen_by(viewer.user_id).get_assessment.served(new_assessment_id(command_id))
    return json_answer(served, status=201, position=receipt.last)


async def submit_assessment(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    submission: Annotated[Received[Submission], Depends(Body(Submission))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Grade a served set, all of it or nothing: questions without an answer count as blank.

    What cannot be read is asked for again, at most three times: 422 `answers-unreadable` names those questions only
    and how many rounds are left. The same submission again gets the same answer, another one is refused.
    """
    content = submission.content
    if not may_record_progress(viewer.user_id, content.student_id):
        raise NotAllowed
    answers: dict[UUID, Answer] = {one.id: one.answer for one in content.questions}
    command_id = attempt.command_id("SubmitAssessment", str(viewer.user_id))
    cause = attempt.cause("SubmitAssessment", command_id, viewer.user_id, _canonical(answers, final=content.final))
    command = SubmitAssessment(
        cause=cause,
        student_id=content.student_id,
        assessment_id=content.assessment_id,
        answers=answers,
        is_final=content.final,
    )
    try:
        receipt = await handle_submit(backend.log, backend.bank, command)
    except AssessmentSubmittedBefore as error:
        receipt = await _the_same(backend, cause, error)
    [record] = await backend.reader.read(receipt.first - 1, limit=1)
    event = decode(record)
    if isinstance(event, AnswersUnreadable):
        raise AskedAgain(errors=list(map(_asked, event.answers)), rounds_left=ROUNDS - event.round)
    assert isinstance(event, AssessmentSubmitted)  # noqa: S101  the command records nothing else
    shown = await backend.seen_by(viewer.user_id).get_assessment(event.assessment_id)
    _count_keys(content.questions, shown)
    return json_answer(shown, status=201, position=receipt.last)


async def get_assessment(
    asked: Annotated[tuple[Viewer, UUID], Depends(FollowingAssessment())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Read a result, or, while it is open, what was served."""
    viewer, number = asked
    return json_answer(await backend.seen_by(viewer.user_id).get_assessment(number))


async def list_assessments(
    asked: Annotated[tuple[Viewer, ResultsQuery], Depends(FollowingInQuery())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """List a student's results, the last first."""
    viewer, query = asked
    return json_answer(await backend.seen_by(viewer.user_id).list_assessments(query.student_id, query.after))


async def _the_same(backend: Backend, cause: Cause, error: AssessmentSubmittedBefore) -> Receipt:
    """Return the receipt of the submission that stands, if this one says the same; else raise the error."""
    records = await find_assessment(backend.pool, UUID(str(error.facts["assessment_id"])))
    try:
        receipt = await backend.log.read_receipt(replace(cause, command_id=records[-1].command_id))
    except IdempotencyKeyReused:
        raise error from None
    if receipt is None:
        raise error
    return receipt


def _asked(answer: UnreadableAnswer) -> dict[str, str]:
    return {"question_id": str(answer.question_id), "code": answer.code, "message": MESSAGES[answer.code]}


def _canonical(answers: Mapping[UUID, Answer], *, final: bool) -> bytes:
    """Return the bytes that tell a submission that is repeated from another one."""
    return orjson.dumps([sorted((str(number), answer) for number, answer in answers.items()), final])


def _count_keys(questions: tuple[AnsweredQuestion, ...], shown: bytes) -> None:
    keys = {one["id"]: one["correct_answer"] for one in orjson.loads(shown)["questions"]}
    for question in questions:
        told = question.correct_answer
        if told is not None and str(told).casefold() != str(keys.get(str(question.id))).casefold():
            KEYS_DIFFER.inc()


ROUTES = (
    Route(
        "/assessments/start",
        start_assessment,
        method="POST",
        operation="StartAssessment",
        access=Rule.STUDENT,
        headers=["Event-Position"],
        status_code=201,
        response_model=ServedAssessment,
        tags=["Assessments"],
    ),
    Route(
        "/assessments",
        submit_assessment,
        method="POST",
        operation="SubmitAssessment",
        access=Rule.STUDENT,
        headers=["Event-Position"],
        status_code=201,
        response_model=AssessmentResult,
        tags=["Assessments"],
    ),
    Route(
        "/assessments",
        list_assessments,
        method="GET",
        operation="ListAssessments",
        access=Rule.FOLLOWER,
        response_model=Results,
        tags=["Assessments"],
    ),
    Route(
        "/assessments/{id}",
        get_assessment,
        method="GET",
        operation="GetAssessment",
        access=Rule.FOLLOWER,
        response_model=AssessmentResult | ServedAssessment,
        tags=["Assessments"],
    ),
)
