"""SubmitAssessment: a student's answers are graded against the set that was served, all of them or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log, QuestionBank
from domain.assessment import ROUNDS, Answer, AskedAgain, judge
from domain.cause import Cause, Receipt
from domain.errors import AssessmentUnknown, NotAllowed
from domain.learner import Learner
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitAssessment:
    """Whose answers to what; the ids tell which served set is meant where none is named."""

    cause: Cause
    student_id: UUID
    assessment_id: UUID | None
    answers: Mapping[UUID, Answer]
    is_final: bool
    """Nothing is asked again: what cannot be read is incorrect."""


async def submit_assessment(log: Log, bank: QuestionBank, command: SubmitAssessment) -> Receipt:
    """Append `AssessmentSubmitted`, or `AnswersUnreadable` where something is asked again.

    Raises `ConsentRequired`, `NotAllowed`, `AssessmentUnknown`, `AssessmentExpired`, `AssessmentSubmittedBefore` and
    `QuestionsNotServed`.
    """
    at = command.cause.occurred_at

    async def decide(history: History) -> None:
        student = await history.rely_on(User, command.student_id)
        if student is None or student.role != "student":
            raise NotAllowed
        consent_id = student.consent_for("learning")
        learner = await history.load(Learner, command.student_id)
        if learner is None:
            raise AssessmentUnknown
        attempt = learner.find(command.assessment_id, command.answers.keys(), at)
        questions = await bank.contents([(one.question_id, one.version) for one in attempt.questions])
        asks_again = not command.is_final and attempt.rounds < ROUNDS
        judged = judge(questions, command.answers, attempt.locale, asks_again=asks_again)
        if isinstance(judged, AskedAgain):
            learner.ask_again(attempt, judged, at)
        else:
            learner.submit(attempt, judged, at)
        history.save(learner, under=consent_id)

    return await log.execute(command.cause, decide)
