"""User: who someone is, and whom they may follow or be followed by.

Folds clear fields only; names and e-mails stay sealed in the log.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import NotAllowed
from domain.events import ChildLinked, Event, GuardianAdded, Role, UserRegistered
from domain.profile import Profile


class User(Aggregate):
    """A parent or a student."""

    TOPIC: ClassVar[str] = "user"
    CATEGORY = "user"

    def __init__(self, role: Role, timezone: str) -> None:
        self.role: Role = role
        self.timezone = timezone
        self.guardians: frozenset[UUID] = frozenset()
        self.children: frozenset[UUID] = frozenset()

    @classmethod
    def register(cls, user_id: UUID, role: Role, email: str, profile: Profile, at: datetime) -> "User":
        """Open an account's history."""
        return cls._create(
            UserRegistered,
            id=user_id,
            timestamp=at,
            role=role,
            email=email,
            name=profile.name,
            grade_level=profile.grade_level,
            learning_preferences=profile.learning_preferences,
            timezone=profile.timezone,
        )

    def link_child(self, child: "User", at: datetime) -> None:
        """Let a parent follow a child: one fact in each of the two histories. Linking twice changes nothing."""
        if self.role != "parent" or child.role != "student":
            raise NotAllowed
        if child.id in self.children:
            return
        self.trigger_event(ChildLinked, child_id=child.id, timestamp=at)
        child.trigger_event(GuardianAdded, guardian_id=self.id, timestamp=at)

    def evolve(self, event: Event) -> None:
        """Take a fact in."""
        match event:
            case GuardianAdded():
                self.guardians |= {event.guardian_id}
            case ChildLinked():
                self.children |= {event.child_id}
            case _:
                pass
