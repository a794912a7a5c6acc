"""Access: who may see and do what; everything not said here is refused.

Every operation of the API names the rule it follows. What is read is decided before anything is looked at; what is done
is decided with the state behind which it is appended.
"""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from domain.user import User


class Rule(StrEnum):
    """Who may call an operation."""

    ANYONE = "anyone"
    NEWCOMER = "whoever registers themself, and a parent who registers a child"
    SIGNED_IN = "whoever is signed in, about themself"
    STUDENT = "the student"
    FOLLOWER = "the person and their guardians"
    GUARDIAN = "the guardians of the student"
    INVITER = "the guardians of the student, and the student while there is none"
    CARETAKER = "the person's guardians, and the person while there is none"
    CODE_HOLDER = "a parent who has a pairing code"

    @property
    def door(self) -> "Rule":
        """Whom a command lets in to be told what it decides."""
        return Rule.ANYONE if self in {Rule.ANYONE, Rule.NEWCOMER} else Rule.SIGNED_IN


def may_record_progress(actor_id: UUID, student_id: UUID) -> bool:
    """Tell whether this person may report practice of that student: only students themselves."""
    return actor_id == student_id


def may_follow(viewer: "User", student_id: UUID) -> bool:
    """Tell whether this person may read that student's progress or profile: themselves and their guardians."""
    return viewer.id == student_id or student_id in viewer.children


def may_update_profile(actor_id: UUID, user: "User") -> bool:
    """Tell whether this person may change that user's profile: themselves and their guardians."""
    return actor_id == user.id or actor_id in user.guardians


def may_invite(actor_id: UUID, student: "User") -> bool:
    """Tell whether this person may let one more guardian join: a guardian, and the student while there is none."""
    return actor_id in student.guardians or (actor_id == student.id and not student.guardians)


def may_consent(actor_id: UUID, student: "User") -> bool:
    """Tell whether this person may give and withdraw consents about that student: the student's guardians."""
    return actor_id in student.guardians


def may_unlink(viewer: "User", student_id: UUID) -> bool:
    """Tell whether this person may end guardianships of that student: the student's guardians."""
    return student_id in viewer.children


def may_erase(actor_id: UUID, person: "User") -> bool:
    """Tell whether someone may have a person erased: a guardian, and whoever has no guardian themself."""
    return actor_id in person.guardians or (actor_id == person.id and not person.guardians)
