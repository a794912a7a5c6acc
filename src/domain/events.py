"""Events: every fact the log may hold, in the order a life with us begins.

An event is about one person; others appear by id. Fields marked `Personal` rest sealed under that person's key; all
others are clear. Numbers are integers (a score in hundredths) or decimal strings. `docs/events.md` is the catalogue.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar
from uuid import UUID

from eventsourcing.domain import BaseAggregate, CanInitAggregate, CanMutateAggregate
from eventsourcing.utils import register_topic
from pydantic import BaseModel, ConfigDict

from domain.grading.marks import Code, Verdict
from domain.personal import Personal
from domain.question import Difficulty, Question

T = TypeVar("T", bound=BaseAggregate[Any])

Role = Literal["parent", "student"]
StaffRole = Literal["author", "analyst", "auditor", "admin"]
Scope = Literal["learning", "personalisation", "research"]
ErasureReason = Literal["asked", "unlinked", "inactive", "restored"]


class Event(BaseModel, CanMutateAggregate[UUID]):
    """A fact of one stream: whose (`originator_id`), the how-manieth (0 until the log says), and when it occurred."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    TOPIC: ClassVar[str]
    CATEGORY: ClassVar[str]
    """First word of the streams that hold this event, as in `user-<uuid>`."""
    class_version: ClassVar[int] = 1

    originator_id: UUID
    originator_version: int
    timestamp: datetime

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Make the public name known, so that storage never depends on where a class lives."""
        super().__pydantic_init_subclass__(**kwargs)
        register_topic(cls.TOPIC, cls)

    def apply(self, aggregate: Any) -> None:  # noqa: ANN401  the library leaves the aggregate's type open
        """Let the aggregate take the fact in."""
        aggregate.evolve(self)


class UserRegistered(Event, CanInitAggregate[UUID]):
    """Someone has an account; the first event of every `user-` stream."""

    TOPIC: ClassVar[str] = "UserRegistered"
    CATEGORY: ClassVar[str] = "user"
    originator_topic: str = "user"
    role: Role
    grade_level: int | None
    """0 (kindergarten) to 8; a parent need not have one."""
    timezone: str
    """IANA name of the zone whose midnight ends this person's day."""
    email: Personal[str]
    name: Personal[str]
    learning_preferences: Personal[tuple[str, ...]]


class ProfileUpdated(Event):
    """A person's profile is another one: the whole of it as it is now, every field as in `UserRegistered`."""

    TOPIC: ClassVar[str] = "ProfileUpdated"
    CATEGORY: ClassVar[str] = "user"
    role: Role
    """As registered: it never changes, but says whose profile this is to who reads this event alone."""
    grade_level: int | None
    timezone: str
    name: Personal[str]
    learning_preferences: Personal[tuple[str, ...]]


class GuardianAdded(Event):
    """A guardian may follow this child; told to the child's stream, in one append with `ChildLinked`."""

    TOPIC: ClassVar[str] = "GuardianAdded"
    CATEGORY: ClassVar[str] = "user"
    guardian_id: UUID


class ChildLinked(Event):
    """This guardian may follow a child; told to the guardian's stream, in one append with `GuardianAdded`."""

    TOPIC: ClassVar[str] = "ChildLinked"
    CATEGORY: ClassVar[str] = "user"
    child_id: UUID


class GuardianRemoved(Event):
    """A guardian may follow this child no longer; in one append with `ChildUnlinked`, and the end of their consents."""

    TOPIC: ClassVar[str] = "GuardianRemoved"
    CATEGORY: ClassVar[str] = "user"
    guardian_id: UUID


class ChildUnlinked(Event):
    """This guardian may follow a child no longer; in one append with `GuardianRemoved`."""

    TOPIC: ClassVar[str] = "ChildUnlinked"
    CATEGORY: ClassVar[str] = "user"
    child_id: UUID


class PairingCodeIssued(Event):
    """A code was made with which one more guardian can link themself to this child."""

    TOPIC: ClassVar[str] = "PairingCodeIssued"
    CATEGORY: ClassVar[str] = "user"
    code_hash: str
    """Keyed hash of the code, in hexadecimal; the code itself is nowhere."""
    expires_at: datetime


class PairingCodeUsed(Event):
    """The code has done its work, in one append with `GuardianAdded`, and works no more."""

    TOPIC: ClassVar[str] = "PairingCodeUsed"
    CATEGORY: ClassVar[str] = "user"
    code_hash: str


class ConsentGranted(Event):
    """A guardian allows that data of this child is processed, for these purposes, under this policy."""

    TOPIC: ClassVar[str] = "ConsentGranted"
    CATEGORY: ClassVar[str] = "user"
    consent_id: UUID
    guardian_id: UUID
    policy_version: str
    scopes: tuple[Scope, ...]
    country: str
    """ISO 3166-1 code of the country whose law decides, in two capital letters."""
    method: str
    """How the guardian showed who they are."""


class ConsentWithdrawn(Event):
    """A consent ends: from here on nothing more is recorded under it."""

    TOPIC: ClassVar[str] = "ConsentWithdrawn"
    CATEGORY: ClassVar[str] = "user"
    consent_id: UUID


class StaffRoleGranted(Event):
    """An operator gives someone a role beyond parent and student."""

    TOPIC: ClassVar[str] = "StaffRoleGranted"
    CATEGORY: ClassVar[str] = "user"
    role: StaffRole


class StaffRoleRevoked(Event):
    """An operator takes a role back."""

    TOPIC: ClassVar[str] = "StaffRoleRevoked"
    CATEGORY: ClassVar[str] = "user"
    role: StaffRole


class UserErased(Event):
    """Someone is forgotten: the last event about them, in one append with the end of their guardianships."""

    TOPIC: ClassVar[str] = "UserErased"
    CATEGORY: ClassVar[str] = "user"
    reason: ErasureReason
    """Asked for; no guardian in time; not used for too long; or erased before a backup was restored."""


class ProgressRecorded(Event):
    """A student says what was practised; self-reported, so it never raises mastery nor mixes with graded figures."""

    TOPIC: ClassVar[str] = "ProgressRecorded"
    CATEGORY: ClassVar[str] = "practice"
    subject: str
    topic: str
    score: int
    """Hundredths of a point: 0 to 10,000."""
    time_spent: int
    """Whole seconds."""
    completed: bool
    source: Literal["self_reported"] = "self_reported"


class QuestionPublished(Event, CanInitAggregate[UUID]):
    """A version of a question is in the bank, to be served from here on in place of the one before."""

    TOPIC: ClassVar[str] = "QuestionPublished"
    CATEGORY: ClassVar[str] = "question"
    originator_topic: str = "question"
    question: Question

    def mutate(self, aggregate: T | None) -> T | None:
        """Begin the question's life with its first version, and go on with it at each later one."""
        return super().mutate(None) if aggregate is None else CanMutateAggregate.mutate(self, aggregate)


class Part(BaseModel):
    """A part of an event that has more of the same kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ServedQuestion(Part):
    """A question of a served set, with what was known of it then, so that no fold reads another's state."""

    question_id: UUID
    version: int
    options: tuple[str, ...]
    """Ids of the options in the order in which they are shown; empty for other types."""
    skill: str
    difficulty: Difficulty
    family: str
    rating: str
    """Decimal: the difficulty on the scale of abilities, in logits."""
    predicted: str
    """Decimal: the success expected of this learner."""
    probability: str
    """Fraction: how likely it was to be drawn at its turn."""


class AssessmentStarted(Event, CanInitAggregate[UUID]):
    """A learner was served a set of questions, and has a day to answer it; each counts as seen from here on."""

    TOPIC: ClassVar[str] = "AssessmentStarted"
    CATEGORY: ClassVar[str] = "learner"
    originator_topic: str = "learner"
    assessment_id: UUID
    grade: int
    subject: str
    topic: str
    difficulty: Difficulty | None
    """What was asked for."""
    locale: str
    """How the learner writes numbers."""
    snapshot: int
    """Position that names the bank's state from which was drawn."""
    seed: str
    """Hexadecimal; with snapshot and history it gives the same set again."""
    policy: str
    """Name of the rules by which was drawn."""
    questions: tuple[ServedQuestion, ...]
    short_by: int
    """How many of those asked for are missing."""
    expires_at: datetime

    def mutate(self, aggregate: T | None) -> T | None:
        """Begin the learner's history with their first assessment, and go on with it at each later one."""
        return super().mutate(None) if aggregate is None else CanMutateAggregate.mutate(self, aggregate)


class UnreadableAnswer(Part):
    """An answer that is asked for again, and why."""

    question_id: UUID
    code: Code


class AnswersUnreadable(Event):
    """Some answers of a submission could not be read: they are asked for again, and nothing was graded."""

    TOPIC: ClassVar[str] = "AnswersUnreadable"
    CATEGORY: ClassVar[str] = "learner"
    assessment_id: UUID
    round: int
    """The how-manieth time, from 1."""
    answers: tuple[UnreadableAnswer, ...]


class GradedAnswer(Part):
    """What an answer was worth."""

    question_id: UUID
    version: int
    verdict: Verdict
    points: str
    """Fraction of the question's points, from `0` to `1`."""
    rule: str
    code: Code | None
    """Why it could not be read, where that makes it incorrect."""
    chosen: tuple[str, ...]
    """Ids of the options chosen."""


class TypedAnswer(Part):
    """What a learner wrote, and how it was read."""

    question_id: UUID
    answer: str | bool | tuple[str, ...] | None
    read_as: str


class AssessmentSubmitted(Event):
    """A learner answered a served set: the graded result, from which results, progress and mastery follow."""

    TOPIC: ClassVar[str] = "AssessmentSubmitted"
    CATEGORY: ClassVar[str] = "learner"
    assessment_id: UUID
    subject: str
    topic: str
    score: int
    """Hundredths of a point: 0 to 10,000."""
    correct: int
    total: int
    """As many as were served."""
    time_spent: int
    """Whole seconds from the start, at most an hour."""
    grader: int
    """Version of the grader."""
    answers: tuple[GradedAnswer, ...]
    typed: Personal[tuple[TypedAnswer, ...]]


class ReadsHashed(Event):
    """The rows of the read ledger behind those of the event before have this hash; they stay as they are."""

    TOPIC: ClassVar[str] = "ReadsHashed"
    CATEGORY: ClassVar[str] = "reads"
    upto: int
    """Id of the last row."""
    count: int
    hash: str
    """In hexadecimal; see `domain.reads.Chain`."""
