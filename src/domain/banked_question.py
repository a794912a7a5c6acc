"""Banked question: the life of a question in the bank, from one published version to the next."""

from datetime import datetime
from hashlib import sha256
from typing import ClassVar

from domain.aggregate import Aggregate
from domain.defects import defects_of
from domain.errors import QuestionRefused, QuestionUnchanged
from domain.events import Event, QuestionPublished
from domain.question import Question


class BankedQuestion(Aggregate):
    """A question that the bank has; its contents are read where they are served, not kept here."""

    TOPIC: ClassVar[str] = "question"
    CATEGORY = "question"

    def __init__(self, question: Question) -> None:
        self.published = question.version
        """The version that is served."""
        self.contents = contents_hash(question)

    @classmethod
    def begin(cls, question: Question, at: datetime) -> "BankedQuestion":
        """Publish a question that the bank does not have, as its version 1; raises `QuestionRefused`."""
        check_publishable(question)
        return cls._create(
            QuestionPublished, id=question.id, timestamp=at, question=question.model_copy(update={"version": 1})
        )

    def publish(self, question: Question, at: datetime) -> None:
        """Publish this as the next version.

        Raises `QuestionUnchanged` where only the version would differ, and `QuestionRefused`.
        """
        if contents_hash(question) == self.contents:
            raise QuestionUnchanged
        check_publishable(question)
        following = question.model_copy(update={"version": self.published + 1})
        self.trigger_event(QuestionPublished, timestamp=at, question=following)

    def evolve(self, event: Event) -> None:
        """Take a fact in."""
        match event:
            case QuestionPublished(question=question):
                self.published = question.version
                self.contents = contents_hash(question)
            case _:
                super().evolve(event)


def check_publishable(question: Question) -> None:
    """Refuse a question that has defects, failing examples among them; raises `QuestionRefused` with its `reasons`."""
    if reasons := defects_of(question):
        raise QuestionRefused(reasons=reasons)


def contents_hash(question: Question) -> bytes:
    """Return the SHA-256 of all that a question says, whichever version of it that is."""
    return sha256(question.model_dump_json(exclude={"version"}).encode()).digest()
