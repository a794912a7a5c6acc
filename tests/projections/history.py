"""History: events as the log would hold them, one position after the other, for tests of what is folded from them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID, uuid5

from domain.events import Event, ProfileUpdated, ProgressRecorded, Role, UserErased, UserRegistered
from eventstore.codec import decode, encode
from eventstore.record import Record, part_of
from projections.progress_summary import Summary, fold
from projections.projection import Seen

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday."""
_NAMES = UUID("d3b7f4a0-4f3a-4a52-8f9e-0d6d0d1b0a11")


def person(number: int) -> UUID:
    """Return the id of one invented person, the same in every test."""
    return uuid5(_NAMES, str(number))


def summaries_of(seen: Iterable[Seen]) -> dict[UUID, Summary]:
    """Return the sums of every student who was not erased, folded from zero."""
    return {student: summary for student, summary in fold(seen).items() if summary}


class History:
    """What happened, encoded as it is stored and decoded as a projection sees it."""

    def __init__(self, after: int = 0) -> None:
        self.seen: list[Seen] = []
        self._after = after

    @property
    def records(self) -> list[Record]:
        return [record for _, record in self.seen]

    def register(
        self, user: UUID, *, role: Role = "student", timezone: str = "UTC", recorded_at: datetime = NOON
    ) -> Record:
        """Let someone have an account; the sealed fields stay sealed."""
        event = UserRegistered(
            originator_id=user,
            originator_version=1,
            timestamp=recorded_at,
            role=role,
            grade_level=3 if role == "student" else None,
            timezone=timezone,
            email="ada@example.org",
            name="Ada",
            learning_preferences=("pictures",),
        )
        return self._append(event, recorded_at, sealed=b"\x01sealed")

    def update_profile(
        self, user: UUID, *, role: Role = "student", timezone: str = "UTC", recorded_at: datetime = NOON
    ) -> Record:
        """Let someone's profile be another one; the sealed fields stay sealed."""
        event = ProfileUpdated(
            originator_id=user,
            originator_version=1,
            timestamp=recorded_at,
            role=role,
            grade_level=4 if role == "student" else None,
            timezone=timezone,
            name="Ada L.",
            learning_preferences=(),
        )
        return self._append(event, recorded_at, sealed=b"\x01other %d" % len(self.seen))

    def practise(
        self,
        student: UUID,
        *,
        subject: str = "math",
        topic: str = "fractions",
        score: int = 5000,
        time_spent: int = 60,
        completed: bool = True,
        at: datetime = NOON,
        recorded_at: datetime | None = None,
    ) -> Record:
        """Let a student report practice; recorded when it happened, unless said otherwise."""
        event = ProgressRecorded(
            originator_id=student,
            originator_version=1,
            timestamp=at,
            subject=subject,
            topic=topic,
            score=score,
            time_spent=time_spent,
            completed=completed,
        )
        return self._append(event, recorded_at or at)

    def erase(self, user: UUID, *, recorded_at: datetime = NOON) -> Record:
        """Let someone be forgotten."""
        event = UserErased(originator_id=user, originator_version=2, timestamp=recorded_at, reason="asked")
        return self._append(event, recorded_at)

    def _append(self, event: Event, recorded_at: datetime, sealed: bytes | None = None) -> Record:
        encoded = encode(event)
        position = self._after + len(self.seen) + 1
        command_id = uuid5(_NAMES, f"command {position}")
        record = Record(
            format=1,
            position=position,
            part=part_of(encoded.subject, encoded.stream),
            stream=encoded.stream,
            version=1,
            event_id=uuid5(command_id, "1"),
            type=encoded.type,
            schema=encoded.schema,
            subject=encoded.subject,
            command_id=command_id,
            causation_id=command_id,
            correlation_id=command_id,
            actor=event.originator_id,
            on_behalf_of=None,
            consent_id=None,
            traceparent=None,
            occurred_at=event.timestamp,
            recorded_at=recorded_at,
            data=encoded.data,
            sealed=sealed,
            commitment=None,
        )
        self.seen.append(Seen(decode(record), record))
        return record
