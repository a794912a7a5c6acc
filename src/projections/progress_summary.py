"""Progress summary: how a child is doing, by subject and topic, with the days of practice.

The rows hold sums only, free of any clock; what depends on today is put in when the summary is rendered. A batch of
events folds into sums that the database adds to its own, so nothing is read to write. Folding a whole history gives
the very rows that batches add up to, which is how a summary of the past is made.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from domain.events import AssessmentSubmitted, ProfileUpdated, ProgressRecorded, UserErased, UserRegistered
from eventstore.fence import Reads
from projections.days import Amount, by_day, last_days, slot_of, streak
from projections.figures import Figures
from projections.projection import Connection, Rows, Seen, forget

Topic = tuple[str, str, str]
"""Subject, topic and source."""

SELF_REPORTED = "self_reported"
GRADED = "graded"


def cache_key(student_id: UUID) -> str:
    """Return the Redis key that holds the summary as JSON."""
    return f"user:{student_id}:progress"


_NEVER = datetime.min.replace(tzinfo=UTC)
_NOTHING = Amount(0, 0)


@dataclass(slots=True)
class Summary:
    """One student's sums, as of the last event folded in."""

    position: int = 0
    recorded_at: datetime = _NEVER
    timezone: str | None = None
    topics: dict[Topic, Figures] = field(default_factory=lambda: defaultdict(Figures))
    activity: dict[datetime, Amount] = field(default_factory=dict)

    def take_in(self, event: ProgressRecorded | AssessmentSubmitted, position: int) -> None:
        """Add one practice report, or one graded result."""
        at, slot = event.timestamp, slot_of(event.timestamp)
        records, time_spent = self.activity.get(slot, _NOTHING)
        self.activity[slot] = Amount(records + 1, time_spent + event.time_spent)
        source, completed = (event.source, event.completed) if isinstance(event, ProgressRecorded) else (GRADED, False)
        self.topics[event.subject, event.topic, source].count(
            event.score, at, position, completed=completed, time_spent=event.time_spent
        )

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose midnight ends this student's day."""
        return _zone(self.timezone or "UTC")


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


Summaries = dict[UUID, Summary | None]
"""By student; None for whoever was erased."""


def fold(events: Iterable[Seen], onto: Summaries | None = None) -> Summaries:
    """Fold events, in position order, into each student's sums; into those of earlier events, if there are any."""
    summaries: Summaries = {} if onto is None else onto
    for event, record in events:
        match event:
            case ProgressRecorded() | AssessmentSubmitted():
                summary = summaries.get(event.originator_id)
                if summary is None:
                    summary = summaries[event.originator_id] = Summary()
                summary.take_in(event, record.position)
            case UserRegistered(role="student") | ProfileUpdated(role="student"):
                summary = summaries.get(event.originator_id)
                if summary is None:
                    summary = summaries[event.originator_id] = Summary()
                summary.timezone = event.timezone
            case UserErased():
                summaries[event.originator_id] = None
                continue
            case _:
                continue
        summary.position, summary.recorded_at = record.position, record.recorded_at
    return summaries


def render(student_id: UUID, summary: Summary, today: date) -> bytes:
    """Return the summary as JSON for one day of the student's zone: the same sums and day, the same bytes."""
    lines = sorted(summary.topics.items())
    subjects: dict[str, list[tuple[Topic, Figures]]] = defaultdict(list)
    for topic, figures in lines:
        subjects[topic[0]].append((topic, figures))
    days = by_day(summary.activity, summary.zone)
    return orjson.dumps(
        {
            "student_id": str(student_id),
            "as_of": {
                "position": summary.position,
                "recorded_at": _moment(summary.recorded_at),
                "date": today.isoformat(),
            },
            **_both(lines),
            "subjects": [_subject(subject, topics) for subject, topics in subjects.items()],
            "last_7_days": last_days(days, today, 7),
            "last_30_days": last_days(days, today, 30),
            "streak": streak(days, today),
            "last_activity": _last_activity(lines),
        }
    )


def _subject(subject: str, lines: list[tuple[Topic, Figures]]) -> dict[str, Any]:
    topics: dict[str, list[tuple[Topic, Figures]]] = defaultdict(list)
    for line in lines:
        topics[line[0][1]].append(line)
    return {
        "subject": subject,
        **_both(lines),
        "topics": [
            {"topic": topic, **_both(own), "last_activity": _last_activity(own)} for topic, own in topics.items()
        ],
    }


def _both(lines: Sequence[tuple[Topic, Figures]]) -> dict[str, Any]:
    """Add up the lines by source, for graded and self-reported figures never mix."""
    graded, self_reported = Figures(), Figures()
    for (_, _, source), figures in lines:
        (graded if source == GRADED else self_reported).add(figures)
    return {
        "graded": graded.shown(with_completed=False),
        "self_reported": self_reported.shown(with_completed=True),
    }


def _last_activity(lines: Sequence[tuple[Topic, Figures]]) -> str | None:
    last = max((figures.last_at for _, figures in lines if figures.last_at), default=None)
    return _moment(last) if last else None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ProgressSummaries:
    """Three tables a generation: the student's line, the sums by topic and source, and the activity."""

    name = "progress_summary"
    category = None
    tables = ("progress_students", "progress_topics", "progress_activity")
    handles: ClassVar[frozenset[str]] = frozenset(
        {
            UserRegistered.TOPIC,
            ProfileUpdated.TOPIC,
            ProgressRecorded.TOPIC,
            AssessmentSubmitted.TOPIC,
            UserErased.TOPIC,
        }
    )

    def fold(self, events: Iterable[Seen], onto: Summaries | None = None) -> Summaries:
        """Fold a batch into what it adds to each student's sums."""
        return fold(events, onto)

    def rows(self, changes: Mapping[UUID, Summary | None]) -> dict[str, list[tuple[object, ...]]]:
        """Return each student's line, sums and activity; of who was erased there are none."""
        ordered = sorted((student, summary) for student, summary in changes.items() if summary)
        return {
            "progress_students": [(student, s.position, s.recorded_at, s.timezone) for student, s in ordered],
            "progress_topics": [
                (
                    *(student, *topic, f.records, f.score_sum, f.best_score, f.last_score),
                    *(f.last_at, f.last_position, f.completed, f.time_spent),
                )
                for student, summary in ordered
                for topic, f in sorted(summary.topics.items())
            ],
            "progress_activity": [
                (student, slot, *a) for student, s in ordered for slot, a in sorted(s.activity.items())
            ],
        }

    async def write(self, connection: Connection, changes: Summaries, generation: int) -> None:
        """Add the batch's sums to the stored ones, all three tables in one statement."""
        erased = [student for student, summary in changes.items() if summary is None]
        await forget(connection, self.tables, "student_id", generation, erased)
        students, topics, activity = self.rows(changes).values()
        if students:
            columns = [*_columns(students, 4), *_columns(topics, 12), *_columns(activity, 4)]
            await connection.execute(_add(generation), *columns)

    def cache_key(self, person_id: UUID) -> str:
        """Return the key of the summary."""
        return cache_key(person_id)

    def cached(self, rows: Rows, value: bytes, now: datetime) -> bytes | None:
        """Return the summary of today; where the rows begin before the registration, it was made of the log."""
        del value
        for student_id, position, recorded_at, timezone in rows["progress_students"]:
            if timezone is not None:
                summary = _summary(
                    position,
                    recorded_at,
                    timezone,
                    [topic for _, *topic in rows["progress_topics"]],
                    [slot for _, *slot in rows["progress_activity"]],
                )
                return render(student_id, summary, now.astimezone(summary.zone).date())
        return None


def _summary(
    position: int, recorded_at: datetime, timezone: str | None, topics: Iterable[Any], activity: Iterable[Any]
) -> Summary:
    return Summary(
        position=position,
        recorded_at=recorded_at,
        timezone=timezone,
        topics={(subject, topic, source): Figures(*sums) for subject, topic, source, *sums in topics},
        activity={slot: Amount(*amount) for slot, *amount in activity},
    )


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * count


@cache
def _add(generation: int) -> str:
    return _ADD.format(generation=generation)


_ADD = """
with students as (
    insert into read.progress_students_g{generation} as t (student_id, position, recorded_at, timezone)
    select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[])
    on conflict (student_id) do update set
        position = excluded.position,
        recorded_at = excluded.recorded_at,
        timezone = coalesce(excluded.timezone, t.timezone)
), topics as (
    insert into read.progress_topics_g{generation} as t (
        student_id, subject, topic, source, records, score_sum, best_score, last_score, last_at, last_position,
        completed, time_spent
    )
    select * from unnest(
        $5::uuid[], $6::text[], $7::text[], $8::text[], $9::int[], $10::bigint[], $11::int[], $12::int[],
        $13::timestamptz[], $14::bigint[], $15::int[], $16::bigint[]
    )
    on conflict (student_id, subject, topic, source) do update set
        records = t.records + excluded.records,
        score_sum = t.score_sum + excluded.score_sum,
        best_score = greatest(t.best_score, excluded.best_score),
        last_score = case
            when (excluded.last_at, excluded.last_position) > (t.last_at, t.last_position) then excluded.last_score
            else t.last_score
        end,
        last_position = case
            when (excluded.last_at, excluded.last_position) > (t.last_at, t.last_position) then excluded.last_position
            else t.last_position
        end,
        last_at = greatest(t.last_at, excluded.last_at),
        completed = t.completed + excluded.completed,
        time_spent = t.time_spent + excluded.time_spent
)
insert into read.progress_activity_g{generation} as t (student_id, slot, records, time_spent)
select * from unnest($17::uuid[], $18::timestamptz[], $19::int[], $20::bigint[])
on conflict (student_id, slot) do update set
    records = t.records + excluded.records,
    time_spent = t.time_spent + excluded.time_spent
"""

_SELECT = """
select
    position, recorded_at, timezone,
    (
        select coalesce(array_agg(
            (subject, topic, source, records, score_sum, best_score, last_score, last_at, last_position, completed,
            time_spent)
        ), '{}')
        from read.progress_topics where student_id = $1
    ) as topics,
    (
        select coalesce(array_agg((slot, records, time_spent)), '{}')
        from read.progress_activity where student_id = $1
    ) as activity
from read.progress_students where student_id = $1
"""


async def read_summary(rows: Reads, student_id: UUID) -> Summary | None:
    """Return a student's stored sums, all of one moment, or None where nothing is projected yet."""
    row = await rows.fetchrow(_SELECT, student_id)
    if row is None:
        return None
    return _summary(*row)
