"""Projector: takes deliveries, folds them in memory and writes rows and cursors in one transaction, exactly once.

A cursor row is locked while its part is written, so that of two projectors only one has an effect. What was seen is
dropped, a hole is filled from the log, and Redis is told what became stale only after the commit. What cannot be folded
is tried three times, then parked for its own student (see parking.py).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing, suppress
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import asyncpg
import prometheus_client as prometheus
import structlog

from domain.errors import LogBroken
from eventstore.codec import decode
from eventstore.connections import LOST
from eventstore.record import Record
from projections.cache import CacheAway, Values
from projections.projection import Projection, Seen
from workers.gaps import Missed, Told, complete, find_gaps, read_gaps
from workers.generations import Cursor
from workers.parking import Poison, is_poison, make_way, park, read_parked_students, student_of, write_apart
from workers.subscription import Delivery, Slice, Subscription

_APPLIED = prometheus.Counter("afterschool_projector_applied", "Events folded in.", ["projection"])
_PARKED = prometheus.Counter("afterschool_projector_parked", "Events set aside.", ["projection"])
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
FIRST_PAUSE = 0.1
"""Seconds between the first and the second try; each later pause is twice as long, up to a limit."""
TRIES = 3
"""Times that a delivery with an event that cannot be folded is tried as a whole."""

Connection = asyncpg.pool.PoolConnectionProxy
Key = tuple[str, int, int]
"""Projection, generation and part."""


Cursors = dict[Key, Cursor]


class GenerationsChanged(Exception):
    """A generation was attached, switched or dropped while this transaction waited for its cursors."""


class Outcome(NamedTuple):
    """What a transaction did, by cursor, and the Redis keys it made stale, each with the position it must reach."""

    applied: Counter[Key]
    parked: Counter[Key]
    stale: dict[str, int]


class Projector:
    """Applies deliveries to a group of projections, cursors side by side, in every generation that is fed."""

    def __init__(self, pool: asyncpg.Pool, cache: Values, projections: Sequence[Projection]) -> None:
        self._pool = pool
        self._cache = cache
        self._projections = {projection.name: projection for projection in projections}
        self._handled = frozenset[str]().union(*(projection.handles for projection in projections))
        self._stale: dict[str, int] = {}
        """Keys that Redis has not been told of yet."""
        self._forgetful = True
        """A projector that has just started does not know what the last one failed to tell Redis."""
        self._live: dict[str, int] = {}
        """The live generations; what Redis holds was made from them."""

    async def cursors(self) -> dict[int, int]:
        """Return the position every projection of the group has reached, by part; raises `LogBroken` on a fork.

        A cursor names the event at its position: if the log holds another one there, it was restored to an earlier
        state and went on differently, and the read models must be rebuilt.
        """
        rows = await self._pool.fetch(
            """
            select cursors.part, min(cursors.position) as position,
                bool_or(cursors.position > 0 and events.event_id is distinct from cursors.event_id) as forked
            from read.cursors join read.generations using (projection, generation) left join events using (position)
            where projection = any($1) and state <> 'filling'
            group by cursors.part
            """,
            list(self._projections),
        )
        if any(row["forked"] for row in rows):
            raise LogBroken(reason="the log and the read models disagree about the past")
        return {row["part"]: row["position"] for row in rows}

    async def run(self, subscription: Subscription) -> None:
        """Apply deliveries for ever; whatever fails is tried again until it works or is parked."""
        await self.refresh_cache()
        async with aclosing(subscription.deliveries()) as deliveries:
            async for delivery in deliveries:
                await self._apply_until_done(delivery)

    async def _apply_until_done(self, delivery: Delivery) -> None:
        pause, poisoned = FIRST_PAUSE, 0
        while True:
            try:
                return await self.apply(delivery, apart=poisoned >= TRIES)
            except Exception as error:  # noqa: BLE001  the outermost loop: nothing may end it
                _FAILURES.labels(type(error).__name__).inc()
                lost = isinstance(error, LOST)
                logger.log(
                    30 if lost else 40, "projector_retries", error=type(error).__name__, position=delivery.position
                )
                poisoned += is_poison(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1 if lost else 30)

    async def apply(self, delivery: Delivery, *, apart: bool = False) -> None:
        """Fold a delivery into the read models; what was folded before has no effect.

        That is one transaction, or several where much is missing. `apart` parks what cannot be folded, else it raises.
        """
        is_all = False
        while not is_all:
            with suppress(GenerationsChanged):
                is_all = await self._apply(delivery.slices, apart=apart)
        await self.refresh_cache()

    async def _apply(self, slices: Sequence[Slice], *, apart: bool) -> bool:
        """Fold slices as one transaction and tell whether that was all of them, the gaps before them included."""
        started = time.perf_counter()
        async with self._pool.acquire() as connection, connection.transaction():
            cursors = await self._lock(connection, sorted({part.part for part in slices}))
            told, is_all = await self._complete(connection, slices, cursors)
            outcome = await self._write(connection, told, cursors, apart=apart)
            await self._advance(connection, told, cursors, outcome)
            # Not after the commit: it may succeed and its answer be lost, and what filled a gap is not delivered again.
            for key, position in outcome.stale.items():
                self._stale[key] = max(position, self._stale.get(key, 0))
        for counter, counts in ((_APPLIED, outcome.applied), (_PARKED, outcome.parked)):
            for (name, _, _), count in counts.items():
                counter.labels(name).inc(count)
        if told:
            _POSITION.set(max(part.position for part in told))
        _BATCH.observe(sum(len(part.records) for part in told))
        _SECONDS.observe(time.perf_counter() - started)
        return is_all

    def distrust_cache(self) -> None:
        """Drop all cached values at the next occasion: whoever handed parts over may not have told Redis everything."""
        self._forgetful = True

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
            select projection, generation, part, position, parked, state
            from read.cursors join read.generations using (projection, generation)
            where part = any($1) and projection = any($2) and state <> 'filling'
            order by part, projection, generation for update of cursors
            """,
            parts,
            list(self._projections),
        )
        live = {name: generation for name, generation, *_, state in rows if state == "live"}
        self._forgetful |= any(self._live.get(name, generation) != generation for name, generation in live.items())
        self._live |= live
        return {(name, generation, part): Cursor(*cursor) for name, generation, part, *cursor, _ in rows}

    async def _complete(
        self, connection: Connection, slices: Sequence[Slice], cursors: Cursors
    ) -> tuple[list[Told], bool]:
        """Return what each part is told, with what the subscription left out before it; and whether that is all."""
        reached: dict[int, int] = {}
        for (_, _, part), cursor in cursors.items():
            reached[part] = min(cursor.position, reached.get(part, cursor.position))
        gaps = find_gaps(slices, reached)
        _BACKFILLS.inc(len(gaps))
        missed = await read_gaps(connection, gaps) if gaps else Missed([], None)
        return complete(slices, gaps, missed), missed.stopped is None

    async def _write(self, connection: Connection, told: Sequence[Told], cursors: Cursors, *, apart: bool) -> Outcome:
        """Fold and write what each generation of each projection has not seen.

        What was folded before is made stale again: whoever folded it may have died before telling Redis.
        """
        outcome = Outcome(Counter(), Counter(), {})
        records = sorted(
            (r for part in told for r in part.records if r.type in self._handled), key=attrgetter("position")
        )
        has_parked = {part for (_, _, part), cursor in cursors.items() if cursor.parked}
        suspects = {student_of(record) for record in records if record.part in has_parked}
        parked = await read_parked_students(connection, suspects) if suspects else {}
        fold = _Fold()
        for name, generation in sorted({(name, generation) for name, generation, _ in cursors}):
            projection = self._projections[name]
            own = [record for record in records if record.type in projection.handles]
            new = [record for record in own if record.position > cursors[name, generation, record.part].position]
            _DROPPED.inc(len(own) - len(new))
            left, erased = await make_way(connection, name, generation, new)
            waiting = parked.get((name, generation), set()) - erased
            flowing = [record for record in left if student_of(record) not in waiting] if waiting else left
            poison = [Poison([record], "") for record in left if waiting and student_of(record) in waiting]
            if flowing and apart:
                poison += await write_apart(connection, projection, generation, flowing)
            elif flowing:
                await projection.write(connection, fold(projection, flowing), generation)
            if poison:
                await park(connection, name, generation, poison)
            set_aside = {record.position for one in poison for record in one.records}
            for record in new:
                counter = outcome.parked if record.position in set_aside else outcome.applied
                counter[name, generation, record.part] += 1
            for record in own:
                key = projection.cache_key(student_of(record))
                if key and record.position not in set_aside:
                    outcome.stale[key] = max(record.position, outcome.stale.get(key, 0))
        return outcome

    async def _advance(self, connection: Connection, told: Sequence[Told], cursors: Cursors, outcome: Outcome) -> None:
        """Move the locked cursors to where their parts were told up to, unless they are beyond it.

        This statement's look at the generations comes after the locks: one that was attached while they were waited
        for would otherwise stay behind until something happens in its part.
        """
        ends = {part.part: part for part in told}
        behind = [key for key, cursor in cursors.items() if key[2] in ends and cursor.position < ends[key[2]].position]
        if not behind:
            return
        generations = await connection.fetchval(
            """
            with moving as (
                update read.cursors as c
                set position = moved.position, event_id = moved.event_id,
                    applied = c.applied + moved.applied, parked = c.parked + moved.parked
                from unnest($1::text[], $2::int[], $3::smallint[], $4::bigint[], $5::uuid[], $6::bigint[], $7::int[])
                    as moved(projection, generation, part, position, event_id, applied, parked)
                where (c.projection, c.generation, c.part) = (moved.projection, moved.generation, moved.part)
            )
            select count(*) from read.generations where projection = any($8) and state <> 'filling'
            """,
            *(list(column) for column in zip(*behind, strict=True)),
            [ends[key[2]].position for key in behind],
            [ends[key[2]].event_id for key in behind],
            [outcome.applied[key] for key in behind],
            [outcome.parked[key] for key in behind],
            list(self._projections),
        )
        if generations != len({(name, generation) for name, generation, _ in cursors}):
            raise GenerationsChanged


class _Fold:
    """Folds of one batch: generations that stand at the same place share one, and every event is decoded once."""

    def __init__(self) -> None:
        self._seen: dict[int, Seen] = {}
        self._changes: dict[tuple[str, tuple[int, ...]], Any] = {}

    def __call__(self, projection: Projection, records: Sequence[Record]) -> Any:  # noqa: ANN401  its own shape
        key = projection.name, tuple(record.position for record in records)
        if key not in self._changes:
            self._changes[key] = projection.fold([self._decode(record) for record in records])
        return self._changes[key]

    def _decode(self, record: Record) -> Seen:
        seen = self._seen.get(record.position)
        if seen is None:
            seen = self._seen[record.position] = Seen(decode(record), record)
        return seen
