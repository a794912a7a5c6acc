"""Aggregate: the base of everything that decides, on the `eventsourcing` library's domain model.

A public method checks and may refuse; it then triggers an event. `evolve` takes an event in and never refuses, for it
also runs on replay.
"""

from typing import Self
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from domain.events import Event


class Aggregate(BaseAggregate[UUID]):
    """Something with an identity whose events decide what may happen next."""

    CATEGORY: str
    """First word of its stream's name, as in `user-<uuid>`."""

    is_erased = False
    """Whether it is over for good: no decision finds it again."""

    def evolve(self, event: Event) -> None:
        """Take a fact in."""
        raise NotImplementedError(type(event).__name__)

    @classmethod
    def replay(cls, events: list[Event], start: Self | None = None) -> Self | None:
        """Fold a stream's events, oldest first, onto nothing or onto an earlier state."""
        state = start
        for event in events:
            state = event.mutate(state)
        return state
