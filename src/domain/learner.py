"""Learner: which sets a student was served, and which of them are answered; what the next decision needs, no more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from domain.aggregate import Aggregate
from domain.assessment import ROUNDS, AskedAgain, Graded
from domain.errors import AssessmentExpired, AssessmentSubmittedBefore, AssessmentUnknown, QuestionsNotServed
from domain.events import AnswersUnreadable, AssessmentStarted, AssessmentSubmitted, Event, ServedQuestion
from domain.grading.marks import VERSION

LIVES = timedelta(hours=24)
"""How long a served set can be answered."""
RECENT = 20
"""Of how many submitted sets the questions are known, so that a submission that comes again is known too."""
LONGEST = 3600
"""Seconds that count of an assessment at most: nobody knows who went to dinner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A served set; of one that was answered or is over, only that it was."""

    id: UUID
    subject: str
    topic: str
    locale: str
    questions: tuple[ServedQuestion, ...]
    started_at: datetime
    expires_at: datetime
    rounds: int = 0
    """How often answers were asked for again."""

    @property
    def rounds_left(self) -> int:
        """How often unreadable answers will still be asked for again."""
        return max(0, ROUNDS - self.rounds)


class Learner(Aggregate):
    """A student as the one who is tested."""

    TOPIC: ClassVar[str] = "learner"
    CATEGORY = "learner"

    def __init__(self) -> None:
        self.open: dict[UUID, Attempt] = {}
        """Those that can be answered, or could until their day was over."""
        self.submitted: dict[UUID, frozenset[UUID]] = {}
        """Those that were answered, with the questions of the last few."""
        self.served: dict[tuple[int, str, str], dict[str, int]] = {}
        """By grade, subject and topic: of each family served, how manieth question it was when it last was."""
        self.count = 0
        """Questions served."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Learner":
        """Copy what changes; everything in it is immutable, and there may be thousands."""
        del memo
        copied = object.__new__(Learner)
        copied.__dict__ |= self.__dict__
        copied._pending_events = list(self._pending_events)
        copied.open, copied.submitted = dict(self.open), dict(self.submitted)
        copied.served = {place: dict(families) for place, families in self.served.items()}
        return copied

    def find(self, assessment_id: UUID | None, question_ids: Collection[UUID], now: datetime) -> Attempt:
        """Return the open attempt of this id, or the latest one that holds these questions.

        Raises `AssessmentUnknown`, `AssessmentSubmittedBefore`, `AssessmentExpired` and `QuestionsNotServed`.
        """
        asked = set(question_ids)
        if assessment_id is not None:
            if assessment_id in self.submitted:
                raise AssessmentSubmittedBefore(assessment_id=assessment_id)
            if assessment_id not in self.open:
                raise AssessmentUnknown
            attempt = self.open[assessment_id]
        else:
            holding = [one for one in self.open.values() if asked and asked <= _ids(one)]
            if not holding:
                self._look_among_submitted(asked)
                raise QuestionsNotServed
            attempt = max(holding, key=lambda one: (now < one.expires_at, one.started_at))
        if now >= attempt.expires_at:
            raise AssessmentExpired
        if not asked <= _ids(attempt):
            raise QuestionsNotServed
        return attempt

    def ask_again(self, attempt: Attempt, asked: AskedAgain, at: datetime) -> None:
        """Note that answers could not be read."""
        self.trigger_event(
            AnswersUnreadable,
            assessment_id=attempt.id,
            round=attempt.rounds + 1,
            answers=asked.answers,
            timestamp=at,
        )

    def submit(self, attempt: Attempt, graded: Graded, at: datetime) -> None:
        """Note the graded result."""
        self.trigger_event(
            AssessmentSubmitted,
            assessment_id=attempt.id,
            subject=attempt.subject,
            topic=attempt.topic,
            score=graded.score,
            correct=graded.correct,
            total=len(attempt.questions),
            time_spent=min(LONGEST, max(0, int((at - attempt.started_at).total_seconds()))),
            grader=VERSION,
            answers=graded.answers,
            typed=graded.typed,
            timestamp=at,
        )

    def evolve(self, event: Event) -> None:
        """Take a fact in."""
        match event:
            case AssessmentStarted():
                self._forget_old(event.timestamp)
                self.open[event.assessment_id] = _attempt(event)
                families = self.served.setdefault((event.grade, event.subject, event.topic), {})
                for question in event.questions:
                    self.count += 1
                    families[question.family] = self.count
            case AnswersUnreadable():
                if attempt := self.open.get(event.assessment_id):
                    self.open[event.assessment_id] = replace(attempt, rounds=event.round)
            case AssessmentSubmitted():
                self.open.pop(event.assessment_id, None)
                self.submitted[event.assessment_id] = frozenset(one.question_id for one in event.answers)
                for long_ago in list(self.submitted)[-RECENT - 1 : -RECENT]:
                    self.submitted[long_ago] = frozenset()
            case _:
                super().evolve(event)

    def _look_among_submitted(self, asked: set[UUID]) -> None:
        for assessment_id, questions in self.submitted.items():
            if asked and asked <= questions:
                raise AssessmentSubmittedBefore(assessment_id=assessment_id)

    def _forget_old(self, now: datetime) -> None:
        """Forget what could not be answered any more a day ago; until then it is said to be over."""
        for attempt in [one for one in self.open.values() if one.expires_at + LIVES < now]:
            del self.open[attempt.id]


def begin(student_id: UUID, served: Mapping[str, Any], at: datetime) -> Learner:
    """Begin a student's history with their first served set."""
    learner: Learner = Learner._create(AssessmentStarted, id=student_id, timestamp=at, **served)  # noqa: SLF001  the library's way
    return learner


def _attempt(event: AssessmentStarted) -> Attempt:
    return Attempt(
        id=event.assessment_id,
        subject=event.subject,
        topic=event.topic,
        locale=event.locale,
        questions=event.questions,
        started_at=event.timestamp,
        expires_at=event.expires_at,
    )


def _ids(attempt: Attempt) -> set[UUID]:
    return {question.question_id for question in attempt.questions}
