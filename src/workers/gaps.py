"""Gaps: what a delivery tells each part, completed from the log where the subscription left something out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from eventstore.record import COLUMNS, Record
from projections.projection import Connection
from workers.subscription import Slice

LIMIT = 5000
"""Missed events that one transaction takes in at most; the next one goes on from there."""


class Gap(NamedTuple):
    """Events of a part that a delivery presupposes and that were not folded yet: after one position, up to another."""

    part: int
    after: int
    up_to: int


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


async def read_gaps(connection: Connection, gaps: Sequence[Gap], *, limit: int = LIMIT) -> list[Record]:
    """Return the events in the gaps, in position order, at most `limit`: one pass over the log, however many gaps."""
    rows = await connection.fetch(
        f"""
        select {COLUMNS}
        from events join unnest($1::smallint[], $2::bigint[], $3::bigint[]) as gap(part, after, up_to) using (part)
        where position > $4 and position <= $5 and position > after and position <= up_to
        order by position limit $6
        """,  # noqa: S608  fixed words
        [gap.part for gap in gaps],
        [gap.after for gap in gaps],
        [gap.up_to for gap in gaps],
        min(gap.after for gap in gaps),
        max(gap.up_to for gap in gaps),
        limit,
    )
    return [Record(*row) for row in rows]


def complete(slices: Sequence[Slice], gaps: Sequence[Gap], missed: Sequence[Record], *, is_all: bool) -> list[Told]:
    """Return what each part is told, with what was missed; unless that is all, only as far as it goes."""
    records: dict[int, dict[int, Record]] = defaultdict(dict)
    ends: dict[int, tuple[int, UUID]] = {}
    for part, _, own, position, event_id in slices:
        records[part].update((record.position, record) for record in own)
        ends[part] = max(ends.get(part, (0, event_id)), (position, event_id))
    for record in missed:
        records[record.part][record.position] = record
    if not is_all:
        last = missed[-1]
        ends.update((gap.part, (last.position, last.event_id)) for gap in gaps if gap.up_to > last.position)
    return [
        Told(part, [records[part][at] for at in sorted(records[part]) if at <= position], position, event_id)
        for part, (position, event_id) in ends.items()
    ]
