"""Retention: how long each kind of data is kept and what happens then; nothing about a child is kept without end.

Sources: 16 CFR 312.10 (a written schedule, no indefinite retention) and GDPR article 5(1)(e). docs/families.md is for
people what this table is for the program.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.events import ErasureReason
from domain.user import User

Action = Literal["erase the person", "delete the rows"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept for how many days, and then what."""

    data: str
    days: int
    action: Action
    why: str

    @property
    def age(self) -> timedelta:
        """Age at which it is time."""
        return timedelta(days=self.days)


UNLINKED = Rule(
    "students without a guardian", 14, "erase the person", "nobody has allowed that anything is kept about them"
)
INACTIVE = Rule(
    "people who, like all of their family, were not heard of", 730, "erase the person", "what it was for is over"
)
SESSIONS = Rule(
    "sessions that ended by themselves, but each person's last", 90, "delete the rows", "used tokens must be known"
)
SESSIONS_OF_ERASED = Rule(
    "sessions and sign-outs of those who were erased", 30, "delete the rows", "no token of theirs may open again"
)

SCHEDULE = (UNLINKED, INACTIVE, SESSIONS, SESSIONS_OF_ERASED)
"""Every rule, in the order in which they are applied. The log itself is kept: it names nobody who was erased."""


def is_due(person: User, reason: ErasureReason, now: datetime) -> bool:
    """Tell whether someone may be erased for this reason now: a guardian may have come since it was looked up."""
    if reason == "unlinked":
        return person.alone_since is not None and person.alone_since + UNLINKED.age <= now
    return True
