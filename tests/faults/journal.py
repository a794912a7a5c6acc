"""Journal: everything clients sent and were answered, to be held against the log afterwards."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median
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
    story: list[str] = field(default_factory=list)
    """What happened, in order."""
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from the end of a fault, by its kind, until everything known at that moment was folded again."""
    poisoned: dict[str, int] = field(default_factory=dict)
    """Students of whom the log holds an event that no projector can fold, and where it is."""
    complaints: list[str] = field(default_factory=list)
    """What a client saw that it must never see."""

    @property
    def acknowledged(self) -> int:
        """Count the commands that got an answer."""
        return sum(bool(sent.answers) for sent in self.sent)

    def summary(self) -> str:
        """Say how much happened."""
        acknowledged = self.acknowledged
        bound = 3 / max(acknowledged, 1)
        return "\n".join(
            (
                f"commands: {len(self.sent)} sent, {acknowledged} acknowledged, nobody told of the others",
                f"answers: {_in_words(self.statuses)}",
                f"students with an event that cannot be folded: {len(self.poisoned)}",
                self.summary_of_faults(),
                f"if nothing acknowledged was lost, at most {bound:.2g} of it can get lost (95 %)",
            )
        )

    def summary_of_faults(self) -> str:
        """Say what happened to the system, and how long it took to recover."""
        return "\n".join(
            (
                f"faults: {self.faults.total()}: {_in_words(self.faults)}",
                f"the last ones: {', '.join(self.story[-12:])}",
                "seconds to recover (number of times, median, longest):",
                *(
                    f"  {kind:<40} {len(seconds):>4} {median(seconds):>6.2f} {max(seconds):>6.2f}"
                    for kind, seconds in sorted(self.recoveries.items())
                ),
            )
        )


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
