"""Gaps: what a delivery tells each part, completed from the log where the subscription left something out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.errors import LogBroken
from eventstore.record import COLUMNS, Record
from projections.projection import Connection
from workers.subscription import Slice

SPAN = 10_000
"""Positions of the log that one transaction looks through at most; the next one goes on from there."""


class Gap(NamedTuple):
    """Events of a part that a delivery presupposes and that were not folded yet: after one position, up to another."""

    part: int
    after: int
    up_to: int


class Missed(NamedTuple):
    """Events in gaps, in order."""

    records: list[Record]
    stopped: tuple[int, UUID] | None
    """Position, and id of the event there, up to which the gaps were looked through; None where that was all."""


class Told(NamedTuple):
    """All events of a part up to `position` that are not folded yet, in order, perhaps with some that are."""

    part: int
    records: list[Record]
    position: int
    event_id: UUID
    """Id of the log's event at `position`."""


def find_gaps(slices: Sequence[Slice], reached: Mapping[int, int]) -> list[Gap]:
    """Return what is missing before or between the slices, given how far each part has been folded."""
    ends = dict(reached)
    gaps = []
    for part, prev, _, position, _ in slices:
        if prev > ends[part]:
            gaps.append(Gap(part, ends[part], prev))
        ends[part] = max(ends[part], position)
    return gaps


async def read_gaps(connection: Connection, gaps: Sequence[Gap], *, span: int = SPAN) -> Missed:
    """Return the events in the gaps, from the first on: one pass over `span` positions, however many gaps."""
    first, last = min(gap.after for gap in gaps), max(gap.up_to for gap in gaps)
    end = min(first + span, last)
    # Bounded by position, not by a limit of rows: to that Postgres may answer by sorting all that is left of the log.
    rows = await connection.fetch(
        f"""
        select {COLUMNS}
        from events join unnest($1::smallint[], $2::bigint[], $3::bigint[]) as gap(part, after, up_to) using (part)
        where position > $4 and position <= $5 and position > after and position <= up_to
        order by position
        """,  # noqa: S608  fixed words
        [gap.part for gap in gaps],
        [gap.after for gap in gaps],
        [gap.up_to for gap in gaps],
        first,
        end,
    )
    records = [Record(*row) for row in rows]
    if end == last:
        return Missed(records, None)
    event_id = await connection.fetchval("select event_id from events where position = $1", end)
    if event_id is None:
        raise LogBroken(after=first)
    return Missed(records, (end, event_id))


def complete(slices: Sequence[Slice], gaps: Sequence[Gap], missed: Missed) -> list[Told]:
    """Return what each part is told, with what was missed; unless that is all, only as far as it goes."""
    records: dict[int, dict[int, Record]] = defaultdict(dict)
    ends: dict[int, tuple[int, UUID]] = {}
    for part, _, own, position, event_id in slices:
        records[part].update((record.position, record) for record in own)
        ends[part] = max(ends.get(part, (0, event_id)), (position, event_id))
    for record in missed.records:
        records[record.part][record.position] = record
    if stopped := missed.stopped:
        ends.update((gap.part, stopped) for gap in gaps if gap.up_to > stopped[0])
    return [
        Told(part, [records[part][at] for at in sorted(records[part]) if at <= position], position, event_id)
        for part, (position, event_id) in ends.items()
    ]
