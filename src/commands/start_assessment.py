"""StartAssessment: questions are chosen for a student and served; from then on they count as seen."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from commands.ports import History, Log, QuestionBank
from domain.cause import Cause, Receipt
from domain.errors import InvalidValue, NotAllowed, NothingToServe
from domain.events import AssessmentStarted
from domain.learner import LIVES, Learner, begin
from domain.question import Difficulty
from domain.selection import POLICY, select
from domain.serving import serve
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAssessment:
    """For whom, of what, and how many questions."""

    cause: Cause
    student_id: UUID
    subject: str
    topic: str
    count: int
    difficulty: Difficulty | None
    locale: str


def new_assessment_id(command_id: UUID) -> UUID:
    """Return the id of the assessment that this command starts, the same at every repeat."""
    return uuid5(command_id, "assessment")


async def start_assessment(log: Log, bank: QuestionBank, command: StartAssessment) -> Receipt:
    """Append `AssessmentStarted`; raises `ConsentRequired`, `NotAllowed` and `NothingToServe`.

    Two that are started at once are drawn one after the other, so that no question comes in both.
    """
    at, seed = command.cause.occurred_at, command.cause.command_id.bytes

    async def decide(history: History) -> None:
        student = await history.rely_on(User, command.student_id)
        if student is None or student.role != "student":
            raise NotAllowed
        consent_id = student.consent_for("learning")
        if student.grade_level is None:
            raise InvalidValue(field="student_id", reason="a student has a grade")
        learner = await history.load(Learner, command.student_id)
        snapshot = bank.snapshot()
        place = student.grade_level, command.subject, command.topic
        drawn = select(
            snapshot.shelf(*place),
            seed=seed,
            count=command.count,
            served=learner.served.get(place, {}) if learner else {},
            difficulty=command.difficulty,
        )
        if not drawn.chosen:
            raise NothingToServe
        questions = await bank.contents([(one.candidate.id, one.candidate.version) for one in drawn.chosen])
        served = {
            "assessment_id": new_assessment_id(command.cause.command_id),
            "grade": student.grade_level,
            "subject": command.subject,
            "topic": command.topic,
            "difficulty": command.difficulty,
            "locale": command.locale,
            "snapshot": snapshot.position,
            "seed": seed.hex(),
            "policy": POLICY,
            "questions": serve(drawn.chosen, questions, seed),
            "short_by": drawn.short_by,
            "expires_at": at + LIVES,
        }
        if learner is None:
            learner = begin(command.student_id, served, at)
        else:
            learner.trigger_event(AssessmentStarted, timestamp=at, **served)
        history.save(learner, under=consent_id)

    return await log.execute(command.cause, decide)
