"""Examples: one event of each type, as complete as it gets."""

from datetime import UTC, datetime
from uuid import UUID

from domain.events import (
    ChildLinked,
    ChildUnlinked,
    ConsentGranted,
    ConsentWithdrawn,
    Event,
    GuardianAdded,
    GuardianRemoved,
    PairingCodeIssued,
    PairingCodeUsed,
    ProfileUpdated,
    ProgressRecorded,
    ReadsHashed,
    StaffRoleGranted,
    StaffRoleRevoked,
    UserErased,
    UserRegistered,
)
from domain.reads import READS

STUDENT = UUID("0190a1b2-0000-4000-8000-000000000001")
PARENT = UUID("0190a1b2-0000-4000-8000-000000000002")
CONSENT = UUID("0190a1b2-0000-4000-8000-000000000003")
CODE_HASH = "5f1c3a" + 58 * "0"
WHEN = datetime(2026, 3, 1, 15, 30, 0, 123_456, tzinfo=UTC)

EXAMPLES: dict[str, Event] = {
    "UserRegistered": UserRegistered(
        originator_id=STUDENT,
        originator_version=1,
        timestamp=WHEN,
        role="student",
        grade_level=3,
        timezone="Europe/Rome",
        email="zoë@example.org",
        name='Zoë "Zo" Müller\\Ó Hara 😀',
        learning_preferences=("pictures", "große Schrift"),
    ),
    "ProfileUpdated": ProfileUpdated(
        originator_id=STUDENT,
        originator_version=8,
        timestamp=WHEN,
        role="student",
        grade_level=4,
        timezone="America/Sao_Paulo",
        name="Zoë Müller-Ó Hara",
        learning_preferences=("große Schrift",),
    ),
    "GuardianAdded": GuardianAdded(originator_id=STUDENT, originator_version=2, timestamp=WHEN, guardian_id=PARENT),
    "ChildLinked": ChildLinked(originator_id=PARENT, originator_version=2, timestamp=WHEN, child_id=STUDENT),
    "GuardianRemoved": GuardianRemoved(originator_id=STUDENT, originator_version=3, timestamp=WHEN, guardian_id=PARENT),
    "ChildUnlinked": ChildUnlinked(originator_id=PARENT, originator_version=3, timestamp=WHEN, child_id=STUDENT),
    "PairingCodeIssued": PairingCodeIssued(
        originator_id=STUDENT,
        originator_version=2,
        timestamp=WHEN,
        code_hash=CODE_HASH,
        expires_at=datetime(2026, 3, 2, 15, 30, tzinfo=UTC),
    ),
    "PairingCodeUsed": PairingCodeUsed(
        originator_id=STUDENT, originator_version=3, timestamp=WHEN, code_hash=CODE_HASH
    ),
    "ConsentGranted": ConsentGranted(
        originator_id=STUDENT,
        originator_version=4,
        timestamp=WHEN,
        consent_id=CONSENT,
        guardian_id=PARENT,
        policy_version="2026-1",
        scopes=("learning", "personalisation"),
        country="IT",
        method="signed-in-guardian",
    ),
    "ConsentWithdrawn": ConsentWithdrawn(
        originator_id=STUDENT, originator_version=5, timestamp=WHEN, consent_id=CONSENT
    ),
    "StaffRoleGranted": StaffRoleGranted(originator_id=PARENT, originator_version=2, timestamp=WHEN, role="analyst"),
    "StaffRoleRevoked": StaffRoleRevoked(originator_id=PARENT, originator_version=3, timestamp=WHEN, role="analyst"),
    "UserErased": UserErased(originator_id=STUDENT, originator_version=5, timestamp=WHEN, reason="asked"),
    "ProgressRecorded": ProgressRecorded(
        originator_id=STUDENT,
        originator_version=7,
        timestamp=WHEN,
        subject="math",
        topic="fractions & décimales",
        score=8_725,
        time_spent=640,
        completed=True,
    ),
    "ReadsHashed": ReadsHashed(
        originator_id=READS, originator_version=3, timestamp=WHEN, upto=1234, count=234, hash="9d" * 32
    ),
}
