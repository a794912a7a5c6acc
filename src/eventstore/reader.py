"""Reader: the log in position order, as a whole or by part, type, subject or stream; and following it as it grows."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg
import structlog

from domain.errors import LogBroken
from eventstore.append import Known
from eventstore.connections import LOST, connect_listener
from eventstore.fence import Reads
from eventstore.record import COLUMNS, Record

PAGE = 5000
POLL = 0.1
"""Seconds between looks at the log when no wake-up comes; wake-ups are hints, polling is the guarantee."""

logger = structlog.get_logger()


class Positioned(Protocol):
    """Something that stands for one event of the log."""

    @property
    def position(self) -> int:
        """Where in the log it is."""


Row = TypeVar("Row", bound=Positioned)


class LogReader:
    """Reads the log through a pool; holds nothing.

    Events themselves it reads through `rows`, where that is given: the view of one person.
    """

    def __init__(self, pool: asyncpg.Pool, rows: Reads | None = None) -> None:
        self._unfenced = pool
        self._rows: Reads = rows or pool

    async def head(self) -> int:
        """Return the last position, 0 for an empty log."""
        return await self._unfenced.fetchval("select coalesce(max(position), 0) from events")  # type: ignore[no-any-return]

    async def event_ids(self, positions: Collection[int]) -> dict[int, UUID]:
        """Return the ids of the events at these positions, of those that the log holds."""
        rows = await self._unfenced.fetch("select position, event_id from events where position = any($1)", positions)
        return {row["position"]: row["event_id"] for row in rows}

    async def read(
        self,
        after: int,
        *,
        up_to: int | None = None,
        part: int | None = None,
        types: Sequence[str] | None = None,
        subject: UUID | None = None,
        limit: int = PAGE,
    ) -> list[Record]:
        """Return the next events after a position, in order, at most `limit`; each filter narrows the result.

        Read unfiltered, the positions are contiguous; a gap raises `LogBroken`.
        """
        conditions, values = ["position > $1"], [after, limit]
        filters = {"position <=": up_to, "part =": part, "type = any": types, "subject =": subject}
        for condition, value in filters.items():
            if value is not None:
                values.append(value)  # type: ignore[arg-type]
                conditions.append(f"{condition} (${len(values)})")
        query = f"select {COLUMNS} from events where {' and '.join(conditions)} order by position limit $2"  # noqa: S608  fixed words
        records = [Record(*row) for row in await self._rows.fetch(query, *values)]
        if part is None and types is None and subject is None:
            assert_contiguous(after, records)
        return records

    async def command(self, command_id: UUID) -> Known | None:
        """Return where an accepted command's events stand, or None."""
        row = await self._unfenced.fetchrow(
            """
            select first_position, last_position, recorded_at, fingerprint, fingerprint_key
            from commands join events on position = first_position where commands.command_id = $1
            """,
            command_id,
        )
        return Known(*row) if row else None

    async def stream(self, stream: str, after_version: int = 0) -> list[Record]:
        """Return a stream's events after a version, in order."""
        rows = await self._rows.fetch(
            f"select {COLUMNS} from events where stream = $1 and version > $2 order by version",  # noqa: S608  fixed words
            stream,
            after_version,
        )
        return [Record(*row) for row in rows]

    async def last(self, stream: str, event_type: str, *, up_to: int | None = None) -> Record | None:
        """Return the last event of this type in a stream, up to a version of it if one is given, or None."""
        row = await self._rows.fetchrow(
            f"""
            select {COLUMNS} from events
            where stream = $1 and type = $2 and ($3::int is null or version <= $3) order by version desc limit 1
            """,  # noqa: S608  fixed words
            stream,
            event_type,
            up_to,
        )
        return Record(*row) if row else None

    async def history(self, subject: UUID, types: Collection[str], *, limit: int = PAGE) -> AsyncIterator[list[Record]]:
        """Yield all events of these types about one person, in order, a page of at most `limit` at a time."""
        after = 0
        while page := await self.read(after, subject=subject, types=list(types), limit=limit):
            yield page
            after = page[-1].position

    async def is_past(self, moment: datetime) -> bool:
        """Tell whether everything that will ever be recorded up to this moment is in the log already.

        Waits for the append under way, whose events may bear a time just before they become visible.
        """
        return await self._unfenced.fetchval(  # type: ignore[no-any-return]
            """
            with held as materialized (select pg_advisory_xact_lock_shared(7001))
            select clock_timestamp() > $1 from held
            """,
            moment,
        )

    def follow(
        self, after: int, wakeups: "Wakeups | None" = None, *, limit: int = PAGE, idle: float | None = None
    ) -> AsyncGenerator[list[Record], None]:
        """Yield the whole log after a position as it grows, a page at a time, for ever: see `follow`."""
        return follow(partial(self.read, limit=limit), after, wakeups, idle=idle)


async def follow(
    read: Callable[[int], Awaitable[list[Row]]],
    after: int,
    wakeups: "Wakeups | None" = None,
    *,
    idle: float | None = None,
) -> AsyncGenerator[list[Row], None]:
    """Yield what `read` returns after a position, and after the end of that, for ever.

    With `idle`, an empty page comes whenever nothing was appended for that many seconds. Survives the database going
    away and coming back; a hole raises `LogBroken` and is never skipped.
    """
    quiet_since = time.monotonic()
    while True:
        try:
            page = await read(after)
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("log_unreachable", error=type(error).__name__)
            await asyncio.sleep(0.5)
            continue
        if page or (idle is not None and time.monotonic() - quiet_since >= idle):
            quiet_since = time.monotonic()
            after = page[-1].position if page else after
            yield page
        if not page:
            await (wakeups.wait(POLL) if wakeups else asyncio.sleep(POLL))


def assert_contiguous(after: int, records: Sequence[Positioned]) -> None:
    """Raise `LogBroken` unless the positions are the next ones, without a gap."""
    if records and (records[0].position != after + 1 or records[-1].position != after + len(records)):
        raise LogBroken(after=after, found=records[0].position)


class Wakeups:
    """A hint that the log has grown, from Postgres NOTIFY. Losing it costs at most the polling interval."""

    def __init__(self, dsn: str, role: str) -> None:
        self._dsn = dsn
        self._role = role
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, and to listen again whenever the connection breaks."""
        self._task = asyncio.create_task(self._listen(), name="wakeups")

    async def stop(self) -> None:
        """Stop listening."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def wait(self, seconds: float) -> None:
        """Return when the log has grown since the last wait, or after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._grown.wait()
        self._grown.clear()

    async def _listen(self) -> None:
        while True:
            connection = None
            try:
                connection = await connect_listener(self._dsn, self._role)
                closed = asyncio.Event()
                connection.add_termination_listener(lambda _connection, closed=closed: closed.set())
                await connection.add_listener("events", lambda *_: self._grown.set())
                await closed.wait()
            except (*LOST, asyncpg.PostgresError):
                await asyncio.sleep(1)
            finally:
                if connection:
                    connection.terminate()
