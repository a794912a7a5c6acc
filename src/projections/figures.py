"""Figures: the sums behind one line of a progress summary, which add up in any grouping."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict


class Shown(TypedDict, total=False):
    """Figures as a reader sees them: scores in points with two decimals, times in seconds."""

    records: int
    mean_score: float | None
    best_score: float | None
    last_score: float | None
    completed: int
    time_spent: int


@dataclass(slots=True)
class Figures:
    """Sums over some records; scores in hundredths. `last_*` follow when it happened, then position."""

    records: int = 0
    score_sum: int = 0
    best_score: int = 0
    last_score: int = 0
    last_at: datetime | None = None
    last_position: int = 0
    completed: int = 0
    time_spent: int = 0

    def count(self, score: int, at: datetime, position: int, *, completed: bool, time_spent: int) -> None:
        """Take one record in."""
        if self.last_at is None or at > self.last_at or (at == self.last_at and position > self.last_position):
            self.last_score, self.last_at, self.last_position = score, at, position
        self.records += 1
        self.score_sum += score
        self.best_score = max(self.best_score, score)
        self.completed += completed
        self.time_spent += time_spent

    def add(self, other: "Figures") -> None:
        """Take other records in."""
        if other.last_at is None:
            return
        if self.last_at is None or (other.last_at, other.last_position) > (self.last_at, self.last_position):
            self.last_score, self.last_at, self.last_position = other.last_score, other.last_at, other.last_position
        self.records += other.records
        self.score_sum += other.score_sum
        self.best_score = max(self.best_score, other.best_score)
        self.completed += other.completed
        self.time_spent += other.time_spent

    def shown(self, *, with_completed: bool) -> Shown:
        """Return the figures for a reader; the mean is rounded half to even at two decimals."""
        some = self.records > 0
        shown = Shown(
            records=self.records,
            mean_score=_mean(self.score_sum, self.records) / 100 if some else None,
            best_score=self.best_score / 100 if some else None,
            last_score=self.last_score / 100 if some else None,
        )
        if with_completed:
            shown["completed"] = self.completed
        shown["time_spent"] = self.time_spent
        return shown


def _mean(total: int, count: int) -> int:
    quotient, remainder = divmod(total, count)
    return quotient + (2 * remainder > count or (2 * remainder == count and quotient % 2 == 1))
