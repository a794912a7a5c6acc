"""Journal: everything clients sent and were answered, to be held against the log afterwards."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sent:
    """One command, however often it was sent, and every answer it got; without one its outcome is unknown."""

    student: str
    key: str
    body: dict[str, Any]
    """`time_spent` is the command's own number, by which it is found in the log."""
    sent_after: int
    """The last position this client knew of when it sent the command first."""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Event-Position and body of each 201."""


@dataclass(frozen=True)
class Read:
    """One summary as it was read."""

    student: str
    body: bytes
    min_position: int | None
    stale_by: int


@dataclass
class Journal:
    """What all clients did."""

    sent: list[Sent] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    """Summaries that nobody has checked yet."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Answers by method and status, and errors by name."""
    faults: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    """What a client saw that it must never see."""

    @property
    def acknowledged(self) -> int:
        """Count the commands that got an answer."""
        return sum(bool(sent.answers) for sent in self.sent)

    def summary(self) -> str:
        """Say how much happened."""
        done = f"acknowledged {self.acknowledged} of {len(self.sent)}"
        return f"{done}; faults: {dict(self.faults)}; answers: {dict(self.statuses)}"
