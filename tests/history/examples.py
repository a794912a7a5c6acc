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
    QuestionPublished,
    ReadsHashed,
    StaffRoleGranted,
    StaffRoleRevoked,
    UserErased,
    UserRegistered,
)
from domain.question import (
    Absolute,
    Example,
    FillIn,
    ListBlank,
    Mistake,
    NumberBlank,
    Precision,
    Question,
    Range,
    RatioBlank,
    TextBlank,
    TimeBlank,
    Unit,
    Units,
)
from domain.reads import READS

STUDENT = UUID("0190a1b2-0000-4000-8000-000000000001")
PARENT = UUID("0190a1b2-0000-4000-8000-000000000002")
CONSENT = UUID("0190a1b2-0000-4000-8000-000000000003")
QUESTION = UUID("0190a1b2-0000-4000-8000-000000000004")
CODE_HASH = "5f1c3a" + 58 * "0"
WHEN = datetime(2026, 3, 1, 15, 30, 0, 123_456, tzinfo=UTC)

FULL = Question(
    id=QUESTION,
    version=2,
    stem="Müller läuft 3 km 😀. Wie viele Meter? ____ Und wie heißt der Ort, wann kommt er an, …? ____",
    grading=FillIn(
        blanks=(
            NumberBlank(
                accepted=("3000", "6000/2"),
                tolerance=Absolute(amount="0.5"),
                forms=("integer", "decimal"),
                strict=True,
                simplify="required",
                precision=Precision(kind="decimal_places", digits=0),
                units=Units(
                    mode="convert",
                    expected="m",
                    table=(Unit(name="m", also=("Meter",)), Unit(name="km", factor="1000", offset="0")),
                    wrong_unit_credit="1/2",
                ),
                number_words=True,
            ),
            TextBlank(
                accepted=("Größenwahn",),
                case_sensitive=True,
                case_credit="0.5",
                accents="exact",
                teaches_language=True,
                spelling_tolerance=True,
                homophones=("Großenwahn",),
                ignore_articles=True,
                final_punctuation="counts",
                wildcards=True,
            ),
            RatioBlank(accepted=("3:4",), simplify="enforced"),
            TimeBlank(accepted=("9:05", "9:05 am")),
            ListBlank(
                kind="set",
                items=(NumberBlank(accepted=("1",), tolerance=Range(low="0", high="2", low_is_open=True)),),
                credit="proportional",
            ),
        ),
        credit="proportional",
    ),
    explanation="1 km = 1000 m",
    hints=("Ein Kilometer hat 1000 Meter.", ""),
    mistakes=(Mistake(answer="300", feedback="Noch eine Null!", credit="1/3", blank=0),),
    difficulty="challenge",
    grade=0,
    subject="math",
    topic="fractions & décimales",
    skill="length",
    family="kilometres",
    language="de",
    source="line-12",
    licence="CC0",
    accept=(Example(answer=("3000 m", "Größenwahn", "3:4", "9:05", "1"), locale="de"),),
    reject=(Example(answer=("300", "", "", "", "")),),
)

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
    "QuestionPublished": QuestionPublished(originator_id=QUESTION, originator_version=2, timestamp=WHEN, question=FULL),
    "ReadsHashed": ReadsHashed(
        originator_id=READS, originator_version=3, timestamp=WHEN, upto=1234, count=234, hash="9d" * 32
    ),
}
