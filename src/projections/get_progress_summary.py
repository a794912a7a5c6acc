"""GetProgressSummary: a child's summary, now or at any moment of the past."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.errors import NotYetRecorded, PositionAhead, UserUnknown
from eventstore.codec import decode
from eventstore.fence import Reads
from eventstore.reader import LogReader
from eventstore.record import Record
from projections.cache import Cached, Lease, Values
from projections.days import next_midnight
from projections.freshness import PATIENCE, wait_until_fresh
from projections.progress_summary import ProgressSummaries, Summary, cache_key, fold, read_summary, render
from projections.projection import Seen


class Answer(NamedTuple):
    """The summary as JSON, and how many of the events asked for it does not hold yet."""

    body: bytes
    stale_by: int


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment of the past: a log position, or a time (then everything recorded up to it), and whose day it was."""

    position: int | None = None
    time: datetime | None = None
    day: date | None = None
    """The day that today's figures are made for; by default the local day of the last event."""


class GetProgressSummary:
    """Answers from Redis, else from the sums in Postgres, and for the past by folding the child's own events."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        reader: LogReader,
        cache: Values,
        *,
        rows: Reads | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._pool = pool
        self._rows: Reads = rows or pool
        self._reader = reader
        self._cache = cache
        self._patience = patience

    async def now(self, student_id: UUID, now: datetime) -> Answer:
        """Return the summary of today; raises `UserUnknown`."""
        found = await self._cache.lease(cache_key(student_id))
        if isinstance(found, Cached):
            return Answer(found.value, 0)
        return Answer(await self._make(student_id, now, found), 0)

    async def at_least(self, student_id: UUID, now: datetime, min_position: int) -> Answer:
        """Return a summary that holds the child's events up to `min_position`, or after 2 s what there is.

        Raises `PositionAhead` for a position that the log has not reached.
        """
        if min_position > await self._reader.head():
            raise PositionAhead
        stale_by = await wait_until_fresh(
            self._pool, ProgressSummaries.name, student_id, min_position, patience=self._patience
        )
        found = await self._cache.lease(cache_key(student_id))
        if isinstance(found, Cached) and found.position >= min_position:
            return Answer(found.value, 0)
        return Answer(await self._make(student_id, now, found), stale_by)

    async def past(self, student_id: UUID, as_of: AsOf) -> Answer:
        """Return the summary as it was: the same position and day give the same bytes.

        Raises `PositionAhead` for a moment the log has not reached, `NotYetRecorded` where nothing was known of the
        student, `UserUnknown` where nothing is known to this day.
        """
        if as_of.position is not None and as_of.position > await self._reader.head():
            raise PositionAhead
        if as_of.time is not None and not await self._reader.is_past(as_of.time):
            raise PositionAhead
        summary = await self._fold(student_id, as_of)
        if summary is None:
            raise NotYetRecorded if await self._fold(student_id, AsOf()) else UserUnknown
        day = as_of.day or summary.recorded_at.astimezone(summary.zone).date()
        return Answer(render(student_id, summary, day), 0)

    async def _make(self, student_id: UUID, now: datetime, found: Cached | Lease | None) -> bytes:
        summary = await read_summary(self._rows, student_id)
        if summary is None or summary.timezone is None:
            summary = await self._fold(student_id, AsOf())
        if summary is None:
            raise UserUnknown
        body = render(student_id, summary, now.astimezone(summary.zone).date())
        if isinstance(found, Lease):
            midnight = next_midnight(now, summary.zone)
            key = cache_key(student_id)
            await self._cache.fill(key, found, body, position=summary.position, expires_at=midnight)
        return body

    async def _fold(self, student_id: UUID, as_of: AsOf) -> Summary | None:
        """Fold the child's own events up to the moment."""
        records: list[Record] = []
        async for page in self._reader.history(student_id, ProgressSummaries.handles):
            records += [
                record
                for record in page
                if (as_of.position is None or record.position <= as_of.position)
                and (as_of.time is None or record.recorded_at <= as_of.time)
            ]
        return fold(Seen(decode(record), record) for record in records).get(student_id)
