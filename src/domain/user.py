"""User: who someone is, and whom they may follow or be followed by.

Folds clear fields only; names and e-mails stay sealed in the log.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid5

from domain.access import may_consent, may_invite
from domain.aggregate import Aggregate
from domain.consent import SIGNED_IN_GUARDIAN, Consent, Terms, check_terms, find_consent
from domain.errors import (
    ConsentEnded,
    ConsentRequired,
    NotAllowed,
    PairingCodeRefused,
    ProfileUnchanged,
    RoleUnchanged,
)
from domain.events import (
    ChildLinked,
    ChildUnlinked,
    ConsentGranted,
    ConsentWithdrawn,
    ErasureReason,
    Event,
    GuardianAdded,
    GuardianRemoved,
    PairingCodeIssued,
    PairingCodeUsed,
    ProfileUpdated,
    Role,
    Scope,
    StaffRole,
    StaffRoleGranted,
    StaffRoleRevoked,
    UserErased,
    UserRegistered,
)
from domain.profile import Profile, ProfileChanges, check_profile

CODE_LIVES = timedelta(hours=24)
"""How long a pairing code works."""


def guardianship_id(guardian_id: UUID, student_id: UUID) -> UUID:
    """Return the id of a guardianship; one that ended and began again has the same."""
    return uuid5(guardian_id, str(student_id))


class User(Aggregate):
    """A parent or a student."""

    TOPIC: ClassVar[str] = "user"
    CATEGORY = "user"

    def __init__(self, role: Role, grade_level: int | None, timezone: str) -> None:
        self.role: Role = role
        self.grade_level = grade_level
        self.timezone = timezone
        self.guardians: frozenset[UUID] = frozenset()
        self.children: frozenset[UUID] = frozenset()
        self.linked_at: dict[UUID, datetime] = {}
        """Since when, by guardian or child."""
        self.staff_roles: frozenset[StaffRole] = frozenset()
        self.consents: dict[UUID, Consent] = {}
        self.codes: dict[str, datetime] = {}
        """Keyed hashes of the codes that still work, and until when each does."""
        self.alone_since: datetime | None = None
        """Since when a student has no guardian."""

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

    def update_profile(self, profile: Profile, changes: ProfileChanges, at: datetime) -> None:
        """Change the profile, which reads `profile` now; raises `InvalidValue`, or `ProfileUnchanged` if it says so."""
        changed = replace(profile, **changes)
        check_profile(self.role, changed)
        if changed == profile:
            raise ProfileUnchanged
        self.trigger_event(
            ProfileUpdated,
            timestamp=at,
            role=self.role,
            name=changed.name,
            grade_level=changed.grade_level,
            learning_preferences=changed.learning_preferences,
            timezone=changed.timezone,
        )

    def link_child(self, child: "User", at: datetime) -> None:
        """Let a parent follow a child: one fact in each of the two histories. Linking twice changes nothing."""
        if self.role != "parent" or child.role != "student":
            raise NotAllowed
        if child.id in self.children:
            return
        self.trigger_event(ChildLinked, child_id=child.id, timestamp=at)
        child.trigger_event(GuardianAdded, guardian_id=self.id, timestamp=at)

    def unlink_child(self, child: "User", at: datetime) -> None:
        """End that a parent follows a child, and with it the consents this parent gave; raises `NotAllowed`."""
        if child.id not in self.children:
            raise NotAllowed
        child.lose_guardian(self.id, at)
        self.trigger_event(ChildUnlinked, child_id=child.id, timestamp=at)

    def lose_guardian(self, guardian_id: UUID, at: datetime) -> None:
        """Note that a guardian follows no more, which ends the consents they gave."""
        for consent in self.consents.values():
            if consent.guardian_id == guardian_id and consent.withdrawn_at is None:
                self.trigger_event(ConsentWithdrawn, consent_id=consent.id, timestamp=at)
        self.trigger_event(GuardianRemoved, guardian_id=guardian_id, timestamp=at)

    def erase(self, family: Iterable["User"], reason: ErasureReason, at: datetime) -> None:
        """Forget this person, and let the family, all guardians or children, know; nothing about them may follow."""
        for relative in family:
            if self.role == "student":
                relative.trigger_event(ChildUnlinked, child_id=self.id, timestamp=at)
            else:
                relative.lose_guardian(self.id, at)
        self.trigger_event(UserErased, reason=reason, timestamp=at)

    def issue_code(self, by: UUID, code_hash: str, at: datetime) -> None:
        """Make a code for one more guardian: a guardian may, and the child while it has none; raises `NotAllowed`."""
        if self.role != "student" or not may_invite(by, self):
            raise NotAllowed
        self.trigger_event(PairingCodeIssued, code_hash=code_hash, expires_at=at + CODE_LIVES, timestamp=at)

    def use_code(self, code_hash: str, at: datetime) -> None:
        """Spend a code; raises `PairingCodeRefused` for one that is unknown, used or too old."""
        if at >= self.codes.get(code_hash, at):
            raise PairingCodeRefused
        self.trigger_event(PairingCodeUsed, code_hash=code_hash, timestamp=at)

    def grant_consent(self, terms: Terms, guardian_id: UUID, consent_id: UUID, at: datetime) -> None:
        """Record a guardian's consent to terms that hold today; raises `NotAllowed` and `InvalidValue`."""
        if not may_consent(guardian_id, self):
            raise NotAllowed
        check_terms(terms)
        self.trigger_event(
            ConsentGranted,
            consent_id=consent_id,
            guardian_id=guardian_id,
            policy_version=terms.policy_version,
            scopes=terms.scopes,
            country=terms.country,
            method=SIGNED_IN_GUARDIAN,
            timestamp=at,
        )

    def withdraw_consent(self, consent_id: UUID, by: UUID, at: datetime) -> None:
        """End a consent; any guardian may. Raises `NotAllowed`, and `ConsentEnded` where that was done before."""
        if not may_consent(by, self) or consent_id not in self.consents:
            raise NotAllowed
        if self.consents[consent_id].withdrawn_at is not None:
            raise ConsentEnded
        self.trigger_event(ConsentWithdrawn, consent_id=consent_id, timestamp=at)

    def consent_for(self, scope: Scope) -> UUID:
        """Return the consent under which this may be recorded of the student; raises `ConsentRequired`."""
        consent = find_consent(self.consents.values(), scope)
        if consent is None:
            raise ConsentRequired
        return consent.id

    def grant_role(self, role: StaffRole, at: datetime) -> None:
        """Give an adult a role beyond parent; raises `NotAllowed` for a student, `RoleUnchanged` the second time."""
        if self.role != "parent":
            raise NotAllowed
        if role in self.staff_roles:
            raise RoleUnchanged
        self.trigger_event(StaffRoleGranted, role=role, timestamp=at)

    def revoke_role(self, role: StaffRole, at: datetime) -> None:
        """Take a role back; raises `RoleUnchanged` where it is not there."""
        if role not in self.staff_roles:
            raise RoleUnchanged
        self.trigger_event(StaffRoleRevoked, role=role, timestamp=at)

    def evolve(self, event: Event) -> None:  # noqa: C901, PLR0912  one case a fact
        """Take a fact in."""
        match event:
            case UserRegistered():
                self.alone_since = event.timestamp if self.role == "student" else None
            case ProfileUpdated():
                self.grade_level, self.timezone = event.grade_level, event.timezone
            case GuardianAdded():
                if not self.guardians:
                    self.codes = {}  # from now on only guardians let others in
                self.guardians |= {event.guardian_id}
                self.linked_at[event.guardian_id] = event.timestamp
                self.alone_since = None
            case GuardianRemoved():
                self.guardians -= {event.guardian_id}
                self.codes = {}  # whoever is removed may have kept one
                self.alone_since = self.alone_since if self.guardians else event.timestamp
            case ChildLinked():
                self.children |= {event.child_id}
                self.linked_at[event.child_id] = event.timestamp
            case ChildUnlinked():
                self.children -= {event.child_id}
            case PairingCodeIssued():
                self.codes[event.code_hash] = event.expires_at
            case PairingCodeUsed():
                self.codes.pop(event.code_hash, None)
            case ConsentGranted():
                self.consents[event.consent_id] = Consent(
                    id=event.consent_id,
                    guardian_id=event.guardian_id,
                    policy_version=event.policy_version,
                    scopes=event.scopes,
                    granted_at=event.timestamp,
                )
            case ConsentWithdrawn():
                ended = replace(self.consents[event.consent_id], withdrawn_at=event.timestamp)
                self.consents[event.consent_id] = ended
            case StaffRoleGranted():
                self.staff_roles |= {event.role}
            case StaffRoleRevoked():
                self.staff_roles -= {event.role}
            case UserErased():
                self.is_erased = True
                self.guardians = self.children = frozenset()
                self.staff_roles, self.consents, self.codes = frozenset(), {}, {}
            case _:
                pass
