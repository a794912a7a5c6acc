"""Log: the port `commands.ports.Log` on the real event store: load, decide, append, and once per command id."""

import copy
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar, cast
from uuid import UUID

from domain.aggregate import Aggregate
from domain.cause import Cause, Receipt, event_id
from domain.errors import IdempotencyKeyReused, Refused, TooContended
from domain.events import Event
from eventstore.append import Accepted, Append, EventRow, Known, Stale
from eventstore.appender import Appender
from eventstore.codec import decode, encode, stream_of
from eventstore.fingerprints import Fingerprints
from eventstore.keys import KeyStore
from eventstore.reader import LogReader
from eventstore.record import part_of
from eventstore.sealing import seal

RETRIES = 3
"""How often a stale decision is taken again before the command is told that things are too contended."""

A = TypeVar("A", bound=Aggregate)


class _Held(NamedTuple):
    """A state in memory, and when (monotonic seconds) it was last known to be the latest."""

    state: Aggregate
    checked_at: float


class Aggregates:
    """Aggregates by id, from a bounded cache in memory or from their streams."""

    def __init__(self, reader: LogReader, *, kept: int = 10_000) -> None:
        self._reader = reader
        self._kept = kept
        self._cache: OrderedDict[str, _Held] = OrderedDict()

    async def get(
        self, kind: type[A], aggregate_id: UUID, *, fresh: bool = False, max_age: float = math.inf
    ) -> tuple[A | None, bool]:
        """Return the aggregate (shared: never change it) and whether it came from memory unchecked.

        What was last held against the log `max_age` seconds ago is so again: other processes append too.
        """
        stream, now = stream_of(kind.CATEGORY, aggregate_id), time.monotonic()
        known = self._cache.get(stream)
        if known is not None and not fresh and now - known.checked_at < max_age:
            self._cache.move_to_end(stream)
            return cast("A", known.state), True
        held = cast("A", known.state) if known else None
        records = await self._reader.stream(stream, held.version if held else 0)
        if records:
            held = kind.replay([decode(record) for record in records], copy.deepcopy(held))
        if held is not None:
            self.put(held, now)
        return held, False

    def put(self, aggregate: Aggregate, checked_at: float) -> None:
        """Remember a state that the log held at this moment (monotonic seconds), unless a later one is known."""
        stream = stream_of(aggregate.CATEGORY, aggregate.id)
        known = self._cache.get(stream)
        if known is None or (known.state.version, known.checked_at) < (aggregate.version, checked_at):
            self._cache[stream] = _Held(aggregate, checked_at)
            self._cache.move_to_end(stream)
            if len(self._cache) > self._kept:
                self._cache.popitem(last=False)


class _History:
    """One decision's view of the log; see `commands.ports.History`."""

    def __init__(self, aggregates: Aggregates, *, fresh: bool) -> None:
        self._aggregates = aggregates
        self._fresh = fresh
        self.heads: dict[str, int] = {}
        self.events: list[tuple[Event, int, UUID | None]] = []
        """Events to append, each with its exact version or 0, and the consent it is recorded under."""
        self.saved: list[Aggregate] = []
        self.from_memory = False

    async def load(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """Return a private copy to change and `save`."""
        return copy.deepcopy(await self.rely_on(kind, aggregate_id))

    async def rely_on(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """Return the aggregate to read only, and guard its stream; whoever was erased is not found."""
        aggregate, from_memory = await self._aggregates.get(kind, aggregate_id, fresh=self._fresh)
        self.from_memory = self.from_memory or from_memory
        self.heads.setdefault(stream_of(kind.CATEGORY, aggregate_id), aggregate.version if aggregate else 0)
        return None if aggregate is None or aggregate.is_erased else aggregate

    def save(self, *aggregates: Aggregate, under: UUID | None = None) -> None:
        """Record pending events, exactly behind what was loaded; a new aggregate's stream must be new."""
        for aggregate in aggregates:
            events = cast("Sequence[Event]", aggregate.collect_events())
            if events:
                self.heads.setdefault(stream_of(aggregate.CATEGORY, aggregate.id), events[0].originator_version - 1)
            self.events += [(event, event.originator_version, under) for event in events]
            self.saved.append(aggregate)

    def record(self, event: Event, *, under: UUID | None = None) -> None:
        """Record a fact at the end of its stream, or exactly where its version says."""
        if event.originator_version:
            self.heads.setdefault(stream_of(event.CATEGORY, event.originator_id), event.originator_version - 1)
        self.events.append((event, event.originator_version, under))


class EventLog:
    """The event log, as commands see it."""

    def __init__(self, reader: LogReader, appender: Appender, keys: KeyStore, fingerprints: Fingerprints) -> None:
        self.reader = reader
        self.aggregates = Aggregates(reader)
        self._appender = appender
        self._keys = keys
        self._fingerprints = fingerprints

    async def execute(self, cause: Cause, decide: Callable[[_History], Awaitable[None]]) -> Receipt:
        """Decide and append as one atomic step, once per command id; see `commands.ports.Log`."""
        fresh, tries = False, 0
        while tries <= RETRIES:
            history = _History(self.aggregates, fresh=fresh)
            try:
                await decide(history)
            except Refused:
                if receipt := await self.read_receipt(cause):
                    return receipt
                if not history.from_memory:
                    raise
                fresh = True
                continue
            receipt = await self._append(cause, history)
            if receipt:
                return receipt
            fresh, tries = True, tries + 1
        raise TooContended

    async def read_receipt(self, cause: Cause) -> Receipt | None:
        """Return the receipt of this command if it was accepted before."""
        known = await self.reader.command(cause.command_id)
        return self._repeat(cause, known) if known else None

    async def _append(self, cause: Cause, history: _History) -> Receipt | None:
        """Append what was decided; return None when the decision is stale."""
        append = Append(
            command_id=cause.command_id,
            operation=cause.operation,
            fingerprint=self._fingerprints.of(cause.operation, cause.body),
            fingerprint_key=self._fingerprints.newest,
            rows=[await self._row(cause, *item, n) for n, item in enumerate(history.events, start=1)],
            heads=list(history.heads.items()),
        )
        sent_at = time.monotonic()
        match await self._appender.append(append):
            case Accepted(first, last, recorded_at, found):
                for aggregate in history.saved:
                    if not found:  # else the log may hold an earlier decision than this one
                        self.aggregates.put(aggregate, sent_at)
                return Receipt(
                    command_id=cause.command_id, first=first, last=last, recorded_at=recorded_at, repeated=found
                )
            case Known() as known:
                return self._repeat(cause, known)
            case Stale():
                return None

    def _repeat(self, cause: Cause, known: Known) -> Receipt:
        if not self._fingerprints.matches(cause.operation, cause.body, known.fingerprint, known.fingerprint_key):
            raise IdempotencyKeyReused
        return Receipt(
            command_id=cause.command_id,
            first=known.first,
            last=known.last,
            recorded_at=known.recorded_at,
            repeated=True,
        )

    async def _row(self, cause: Cause, event: Event, version: int, consent_id: UUID | None, ordinal: int) -> EventRow:
        encoded = encode(event)
        this_id = event_id(cause.command_id, ordinal)
        sealed = commitment = None
        if encoded.personal is not None:
            key = await self._keys.key_of(event.originator_id)
            sealed, commitment = seal(
                key,
                encoded.personal,
                event_id=this_id,
                stream=encoded.stream,
                event_type=encoded.type,
                schema=encoded.schema,
            )
        return EventRow(
            part=part_of(encoded.subject, encoded.stream),
            stream=encoded.stream,
            version=version,
            event_id=this_id,
            type=encoded.type,
            schema=encoded.schema,
            subject=encoded.subject,
            command_id=cause.command_id,
            causation_id=cause.causation_id,
            correlation_id=cause.correlation_id,
            actor=cause.actor,
            on_behalf_of=cause.on_behalf_of,
            consent_id=consent_id,
            traceparent=cause.traceparent,
            occurred_at=event.timestamp,
            data=encoded.data,
            sealed=sealed,
            commitment=commitment,
        )
