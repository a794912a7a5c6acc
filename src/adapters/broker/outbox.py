"""Outbox: the log as the broker is to get it, in batches of one part each; there is no other outbox than the log."""

from collections.abc import AsyncGenerator, Iterator
from typing import NamedTuple
from uuid import UUID

import asyncpg
import orjson

from adapters.broker.envelope import ENVELOPE
from domain.errors import LogBroken
from eventstore.reader import Wakeups, follow

PAGE = 5000
PAGE_BYTES = 8 << 20
"""A page ends with the event before its data and sealed fields would be more than this, as they rest."""
BATCH_EVENTS = 200
BATCH_BYTES = 256 << 10
"""No batch is larger, unless a single event is."""

_BETWEEN = b"\x1e"
"""What no JSON text holds unescaped."""
_READ = f"""
select part, convert_to(string_agg({ENVELOPE}, E'\\x1e' order by position), 'UTF8')
from (
    select *, sum(pg_column_size(data) + coalesce(pg_column_size(sealed), 0)) over up_to_here as bytes
    from (select * from events where position > $1 order by position limit $2) as page
    window up_to_here as (order by position rows unbounded preceding)
) as events
where bytes <= {PAGE_BYTES} or position = $1 + 1
group by part
"""  # noqa: S608  fixed words


class EncodedBatch(NamedTuple):
    """Events of one part as one CloudEvents batch, and what of them the outside of a message says."""

    part: int
    first: int
    position: int
    """Of the last event."""
    events: int
    event_id: UUID
    """Of the last event."""
    traceparent: str | None
    body: bytes


class Outbox:
    """Reads the log through a pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, after: int, *, limit: int = PAGE) -> list[EncodedBatch]:
        """Return the next events after a position, at most `limit`, by part; the last batch ends where all of them do.

        A hole among them raises `LogBroken`.
        """
        rows = await self._pool.fetch(_READ, after, limit)
        batches = [_batch(part, own) for part, joined in rows for own in in_batches(joined.split(_BETWEEN))]
        page = sorted(batches, key=_position)
        first = min((batch.first for batch in page), default=after + 1)
        if first != after + 1 or (page and page[-1].position != after + sum(batch.events for batch in page)):
            raise LogBroken(after=after, found=first)
        return page

    def follow(self, after: int, wakeups: Wakeups | None = None) -> AsyncGenerator[list[EncodedBatch], None]:
        """Yield the whole log after a position as it grows, a page at a time, for ever."""
        return follow(self.read, after, wakeups)


def in_batches(events: list[bytes]) -> Iterator[list[bytes]]:
    """Cut encoded events, in their order, into batches of limited length and size."""
    if len(events) <= BATCH_EVENTS and sum(map(len, events)) + len(events) + 1 <= BATCH_BYTES:
        yield events
        return
    own: list[bytes] = []
    size = 1
    for event in events:
        if own and (len(own) == BATCH_EVENTS or size + len(event) + 1 > BATCH_BYTES):
            yield own
            own, size = [], 1
        own.append(event)
        size += len(event) + 1
    yield own


def _batch(part: int, events: list[bytes]) -> EncodedBatch:
    first, last = orjson.loads(events[0]), orjson.loads(events[-1])
    return EncodedBatch(
        part,
        int(first["position"]),
        int(last["position"]),
        len(events),
        UUID(last["id"]),
        last.get("traceparent"),
        b"[" + b",".join(events) + b"]",
    )


def _position(batch: EncodedBatch) -> int:
    return batch.position
