"""Readers: how far every reader of the log has come, as metrics that tell of a reader even when it cannot.

Each API process looks every five seconds; a reader that hangs is seen by how old the oldest event is that waits for it.
"""

import asyncio

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Gauge

from eventstore.connections import LOST
from projections.positions import ReaderPosition, RelayPosition, read_head, read_positions, read_relay

SECONDS = 5.0
"""Between looks."""

logger = structlog.get_logger()


class ReaderMetrics:
    """Gauges by reader: each projection's live generation, and the relay where there is a broker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._head = Gauge("afterschool_head_position", "Last position of the log", registry=registry)
        self._looked = Gauge(
            "afterschool_readers_seen_timestamp_seconds", "When the readers were looked at", registry=registry
        )

        def by_reader(name: str, words: str) -> Gauge:
            return Gauge(f"afterschool_reader_{name}", words, ["reader"], registry=registry)

        self._position = by_reader("position", "Position that the slowest part has reached")
        self._events = by_reader("lag_events", "Events that wait for the reader")
        self._seconds = by_reader("lag_seconds", "Age of the oldest event that waits for the reader")
        self._parked = by_reader("parked_events", "Events that could not be folded, and those behind them")
        self._forked = by_reader("forked", "1 when the reader knows another past than the log")
        self._leads = Gauge("afterschool_relay_leads", "1 while a relay holds the lead", registry=registry)

    async def look(self, pool: asyncpg.Pool, *, with_relay: bool) -> list[ReaderPosition]:
        """Look once."""
        readers = await read_positions(pool)
        if with_relay:
            readers.append(await read_relay(pool))
        self._head.set(await read_head(pool))
        for reader in readers:
            self._position.labels(reader.name).set(reader.position)
            self._events.labels(reader.name).set(reader.lag_events)
            self._seconds.labels(reader.name).set(reader.lag_seconds)
            self._parked.labels(reader.name).set(reader.parked)
            self._forked.labels(reader.name).set(reader.forked)
            if isinstance(reader, RelayPosition):
                self._leads.set(reader.leads)
        self._looked.set_to_current_time()
        return readers

    async def keep_looking(self, pool: asyncpg.Pool, *, with_relay: bool) -> None:
        """Look for ever; while Postgres is away, the time of the last look stands still."""
        while True:
            try:
                await self.look(pool, with_relay=with_relay)
            except (*LOST, asyncpg.PostgresError) as error:
                logger.warning("readers_not_seen", error=type(error).__name__)
            await asyncio.sleep(SECONDS)
