"""Projector: takes deliveries, folds them in memory and writes rows and cursors in one transaction, exactly once.

A cursor row is locked while its part is written, so that of two projectors only one has an effect. What was seen is
dropped, a hole is filled from the log, and Redis is told what became stale only after the commit.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

import asyncpg
import prometheus_client as prometheus
import structlog

from domain.errors import LogBroken
from eventstore.codec import decode
from eventstore.connections import LOST
from eventstore.reader import LogReader
from eventstore.record import Record
from projections.cache import CacheAway, Values
from projections.projection import Projection, Seen
from workers.subscription import Delivery, Slice, Subscription

_APPLIED = prometheus.Counter("afterschool_projector_applied", "Events folded in.", ["projection"])
_DROPPED = prometheus.Counter("afterschool_projector_duplicates_dropped", "Events that had been folded before.")
_BACKFILLS = prometheus.Counter("afterschool_projector_gap_backfills", "Holes in a subscription filled from the log.")
_POSITION = prometheus.Gauge("afterschool_projector_position", "Position up to which everything delivered is folded.")
_BATCH = prometheus.Histogram(
    "afterschool_projector_batch_events", "Events per transaction.", buckets=[1, 4, 16, 64, 256, 1000]
)
_SECONDS = prometheus.Histogram(
    "afterschool_projector_seconds", "Seconds per transaction.", buckets=[0.003, 0.01, 0.03, 0.1, 1]
)
_FAILURES = prometheus.Counter("afterschool_projector_failures", "Deliveries that had to be tried again.", ["error"])

logger = structlog.get_logger()


TOLD_AT_ONCE = 1000
"""Stale keys of one call to Redis at most, so that a long outage does not end in a call that times out for ever."""

GENERATION = 1
"""Generation of the read models that is filled and served."""

Connection = asyncpg.pool.PoolConnectionProxy
Cursors = dict[tuple[str, int], int]
"""Position reached, by projection and part."""


class Projector:
    """Applies deliveries to a group of projections, whose cursors stand side by side."""

    def __init__(self, pool: asyncpg.Pool, cache: Values, projections: Sequence[Projection]) -> None:
        self._pool = pool
        self._reader = LogReader(pool)
        self._cache = cache
        self._projections = projections
        self._names = [projection.name for projection in projections]
        self._stale: dict[str, int] = {}
        """Keys that Redis has not been told of yet."""
        self._forgetful = True
        """A projector that has just started does not know what the last one failed to tell Redis."""

    async def cursors(self) -> dict[int, int]:
        """Return the position every projection of the group has reached, by part; raises `LogBroken` on a fork.

        A cursor names the event at its position: if the log holds another one there, it was restored to an earlier
        state and went on differently, and the read models must be rebuilt.
        """
        rows = await self._pool.fetch(
            """
            select cursors.part, min(cursors.position) as position,
                bool_or(cursors.position > 0 and events.event_id is distinct from cursors.event_id) as forked
            from read.cursors left join events using (position)
            where projection = any($1) and generation = $2
            group by cursors.part
            """,
            self._names,
            GENERATION,
        )
        if any(row["forked"] for row in rows):
            raise LogBroken(reason="the log and the read models disagree about the past")
        return {row["part"]: row["position"] for row in rows}

    async def run(self, subscription: Subscription) -> None:
        """Apply deliveries for ever; whatever fails is tried again until it works."""
        await self.refresh_cache()
        async for delivery in subscription.deliveries():
            await self._apply_until_done(delivery)

    async def _apply_until_done(self, delivery: Delivery) -> None:
        pause = 0.1
        while True:
            try:
                return await self.apply(delivery)
            except Exception as error:  # noqa: BLE001  the outermost loop: nothing may end it
                _FAILURES.labels(type(error).__name__).inc()
                lost = isinstance(error, LOST)
                logger.log(
                    30 if lost else 40, "projector_retries", error=type(error).__name__, position=delivery.position
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1 if lost else 30)

    async def apply(self, delivery: Delivery) -> None:
        """Fold a delivery into the read models, as one transaction; what was folded before has no effect."""
        started = time.perf_counter()
        async with self._pool.acquire() as connection, connection.transaction():
            cursors = await self._lock(connection, [part.part for part in delivery.slices])
            slices = [await self._complete(part, cursors) for part in delivery.slices]
            stale, applied = await self._write(connection, slices, cursors)
            await self._advance(connection, cursors, applied, delivery)
        for key, position in stale.items():
            self._stale[key] = max(position, self._stale.get(key, 0))
        await self.refresh_cache()
        for projection in self._projections:
            _APPLIED.labels(projection.name).inc(sum(n for (name, _), n in applied.items() if name == projection.name))
        _POSITION.set(delivery.position)
        _BATCH.observe(sum(len(part.records) for part in slices))
        _SECONDS.observe(time.perf_counter() - started)

    async def refresh_cache(self) -> None:
        """Tell Redis what became stale; what it did not hear is told again next time."""
        with suppress(CacheAway):
            if self._forgetful:
                await self._cache.drop_values()
                self._forgetful = False
            while told := dict(islice(self._stale.items(), TOLD_AT_ONCE)):
                await self._cache.invalidate(told)
                for key in told:
                    del self._stale[key]

    async def _lock(self, connection: Connection, parts: list[int]) -> Cursors:
        rows = await connection.fetch(
            """
            select projection, part, position from read.cursors
            where part = any($1) and projection = any($2) and generation = $3
            order by part, projection for update
            """,
            parts,
            self._names,
            GENERATION,
        )
        return {(row["projection"], row["part"]): row["position"] for row in rows}

    async def _complete(self, part: Slice, cursors: Cursors) -> Slice:
        """Return the slice with what the subscription failed to deliver before it, read from the log."""
        reached = min(cursors[name, part.part] for name in self._names)
        if part.prev <= reached:
            return part
        _BACKFILLS.inc()
        missed: list[Record] = []
        while page := await self._reader.read(
            missed[-1].position if missed else reached, up_to=part.prev, part=part.part
        ):
            missed += page
        return Slice(part.part, reached, missed + [r for r in part.records if r.position > part.prev])

    async def _write(
        self, connection: Connection, slices: list[Slice], cursors: Cursors
    ) -> tuple[dict[str, int], Counter[tuple[str, int]]]:
        """Fold and write what each projection has not seen; return stale cache keys and events applied by cursor.

        What was folded before is made stale again: whoever folded it may have died before telling Redis.
        """
        stale: dict[str, int] = {}
        applied: Counter[tuple[str, int]] = Counter()
        handled = frozenset[str]().union(*(projection.handles for projection in self._projections))
        records = sorted((r for part in slices for r in part.records if r.type in handled), key=_position)
        seen = [Seen(decode(record), record) for record in records]
        for projection in self._projections:
            name, handles = projection.name, projection.handles
            own = [one for one in seen if one.record.type in handles]
            new = [one for one in own if one.record.position > cursors[name, one.record.part]]
            _DROPPED.inc(len(own) - len(new))
            changes = projection.fold(new)
            await projection.write(connection, changes)
            applied.update((name, one.record.part) for one in new)
            stale.update(projection.stale_keys(changes if len(new) == len(own) else projection.fold(own)))
        return stale, applied

    async def _advance(
        self, connection: Connection, cursors: Cursors, applied: Counter[tuple[str, int]], delivery: Delivery
    ) -> None:
        """Move the locked cursors to the delivery's end, unless they are beyond it."""
        behind = [cursor for cursor, position in cursors.items() if position < delivery.position]
        await connection.execute(
            """
            update read.cursors as c set position = $1, event_id = $2, applied = c.applied + moved.applied
            from unnest($3::text[], $4::int[], $5::bigint[]) as moved(projection, part, applied)
            where c.projection = moved.projection and c.part = moved.part and c.generation = $6
            """,
            delivery.position,
            delivery.event_id,
            [projection for projection, _ in behind],
            [part for _, part in behind],
            [applied[cursor] for cursor in behind],
            GENERATION,
        )


def _position(record: Record) -> int:
    return record.position
