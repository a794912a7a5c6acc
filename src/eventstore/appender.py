"""Appender: group commit. Whatever queued up during the last commit is the next batch, and a batch is one SQL call.

One appender and one connection a process. A lost connection leaves the outcome unknown; the batch is then sent again
under the same command ids, and the log itself says which commands it already holds: asking and appending are one step
under the log's lock, so nothing is ever appended twice, not even by a backend that finishes late.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import prometheus_client as prometheus
import structlog

from domain.errors import ClocksDiffer, LogBusy, LogUnavailable
from eventstore.append import Accepted, Append, EventRow, Known, Stale, Verdict
from eventstore.connections import LOST, connect_writer

MAX_COMMANDS = 128
"""Enough to share one commit; few enough that the next batch is decided while this one commits."""
MAX_BYTES = 1 << 20
DEADLINE = 10.0
"""Seconds a command may wait for an unreachable log before its caller is told that the outcome is unknown."""
CALL_TIMEOUT = 5.0

_BATCH = prometheus.Histogram(
    "afterschool_append_batch_commands", "Commands per commit.", buckets=[1, 2, 4, 16, 64, 256, 1024]
)
_SECONDS = prometheus.Histogram(
    "afterschool_append_seconds", "Seconds per commit.", buckets=[0.001, 0.003, 0.01, 0.03, 0.1, 1]
)
_HEAD = prometheus.Gauge("afterschool_log_head_position", "Last position this process appended.")
_VERDICTS = prometheus.Counter("afterschool_append_commands", "Commands by verdict of the log.", ["verdict"])
_LOST = prometheus.Counter("afterschool_append_outcomes_unknown", "Batches whose connection broke before the answer.")

logger = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiting:
    append: Append
    answer: "asyncio.Future[Verdict]"
    size: int
    since: float = field(default_factory=time.monotonic)


class Appender:
    """The single writer of this process. `start` it once; `stop` appends what waits and closes."""

    def __init__(
        self,
        dsn: str,
        *,
        queue_limit: int = 10_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline: float = DEADLINE,
        call_timeout: float = CALL_TIMEOUT,
    ) -> None:
        self._dsn = dsn
        self._limit = queue_limit
        self._clock = clock
        self._deadline = deadline
        self._call_timeout = call_timeout
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to append; the connection is made when the first command comes."""
        self._task = asyncio.create_task(self._run(), name="appender")

    async def stop(self) -> None:
        """Append what waits, then close."""
        self._stopping = True
        self._wake.set()
        if self._task:
            await self._task
        self._disconnect()

    async def append(self, append: Append) -> Verdict:
        """Append one command atomically and durably, or say why not.

        Raises `LogBusy` when too many wait, `ClocksDiffer`, and `LogUnavailable` when the outcome is unknown after
        the deadline. A cancelled caller's command may still be appended.
        """
        if not append.rows:
            raise ValueError("a command that is accepted has at least one event")
        if len(self._queue) >= self._limit or self._stopping:
            raise LogBusy
        waiting = _Waiting(append, asyncio.get_running_loop().create_future(), append.size)
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.answer

    async def _run(self) -> None:
        while self._queue or not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._take():
                try:
                    await self._commit(batch)
                except Exception:  # noqa: BLE001  nothing may end the one loop that appends
                    for waiting in batch:
                        if not waiting.answer.done():
                            waiting.answer.set_exception(LogUnavailable())
            if self._stopping:
                self._wake.set()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < MAX_COMMANDS:
            if self._queue[0].answer.done():
                self._queue.popleft()
                continue
            size += self._queue[0].size
            if batch and size > MAX_BYTES:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        """See a batch through: answered, failed for a stated reason, or given up after the deadline."""
        resent = False
        while batch := [waiting for waiting in batch if not waiting.answer.done()]:
            try:
                connection = self._connection or await self._connect()
                started = time.perf_counter()
                [row] = await connection.fetch(
                    _CALL, self._clock(), *_columns([w.append for w in batch]), timeout=self._call_timeout
                )
                _SECONDS.observe(time.perf_counter() - started)
                _BATCH.observe(len(batch))
                return _answer(batch, row, resent=resent)
            except LOST as error:
                _LOST.inc()
                logger.warning("append_outcome_unknown", commands=len(batch), error=type(error).__name__)
                resent = True
                await self._lose(batch)
            except Exception as error:  # noqa: BLE001  nothing may end the one loop that appends
                return await self._fail(batch, error)
        return None

    async def _connect(self) -> asyncpg.Connection:
        try:
            self._connection = await connect_writer(self._dsn)
        except asyncpg.PostgresError as error:  # no command is to blame for it
            raise ConnectionError(error.sqlstate) from None
        return self._connection

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.terminate()
            self._connection = None

    async def _lose(self, batch: list[_Waiting]) -> None:
        """Drop the connection; tell those who waited too long that their outcome is unknown; pause a moment."""
        self._disconnect()
        overdue = time.monotonic() - (0 if self._stopping else self._deadline)
        for waiting in (*batch, *self._queue):
            if waiting.since < overdue and not waiting.answer.done():
                waiting.answer.set_exception(LogUnavailable())
        await asyncio.sleep(0.1)

    async def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        """Nothing was committed: fail all if the database is at fault, else find the guilty command."""
        if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in {"53", "55", "57", "25", "58"}:
            logger.error("append_failed", sqlstate=error.sqlstate, commands=len(batch))
            self._disconnect()  # perhaps the server became a standby and another one takes our writes
            failure: Exception = LogUnavailable()
        elif isinstance(error, asyncpg.PostgresError) and error.sqlstate == "AS001":
            logger.error("clocks_differ")
            failure = ClocksDiffer()
        elif len(batch) > 1:
            for waiting in batch:
                await self._commit([waiting])
            return
        else:
            failure = error
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(failure)


_CAUSES = ("causation_id", "correlation_id")
_CALL = f"select * from append({', '.join(f'${n}' for n in range(1, 31))})"  # noqa: S608  only placeholders


def _columns(appends: Sequence[Append]) -> tuple[object, ...]:
    """Lay a batch out as the arguments of SQL `append`, column by column in queue order."""
    written: set[str] = set()
    ends: dict[str, int] = {}
    touched_twice = False
    first = 1
    firsts, lasts, nths = [], [], []
    heads: list[tuple[int, str, int]] = []
    rows: list[EventRow] = []
    for ordinal, append in enumerate(appends, start=1):
        for stream, version in append.heads:
            touched_twice = touched_twice or stream in written
            heads.append((ordinal, stream, version))
        for row in append.rows:
            written.add(row.stream)
            nth = 0
            if not row.version:
                nth = ends[row.stream] = ends.get(row.stream, 0) + 1
            nths.append(nth)
        rows.extend(append.rows)
        firsts.append(first)
        first += len(append.rows)
        lasts.append(first - 1)
    h_command, h_stream, h_version = zip(*heads, strict=True) if heads else ((), (), ())
    columns: dict[str, Sequence[Any]] = dict(zip(EventRow._fields, zip(*rows, strict=True), strict=True))
    own_cause = {name: None if columns[name] == columns["command_id"] else columns[name] for name in _CAUSES}
    single = len(rows) == len(appends)
    return (
        touched_twice,
        [a.command_id for a in appends],
        _once([a.operation for a in appends]),
        [a.fingerprint for a in appends],
        _once([a.fingerprint_key for a in appends]),
        None if single else firsts,
        None if single else lasts,
        h_command,
        h_stream,
        h_version,
        columns["part"],
        columns["stream"],
        _said(columns["version"], nothing=0),
        None if max(nths) <= 1 else nths,
        columns["event_id"],
        _once(columns["type"]),
        _once(columns["schema"]),
        columns["subject"],
        None if single else columns["command_id"],
        own_cause["causation_id"],
        own_cause["correlation_id"],
        None if columns["actor"] == columns["subject"] else columns["actor"],
        _said(columns["on_behalf_of"]),
        _said(columns["consent_id"]),
        _said(columns["traceparent"]),
        columns["occurred_at"],
        columns["data"],
        _said(columns["sealed"]),
        _said(columns["commitment"]),
    )


def _once(column: Sequence[object]) -> Sequence[object]:
    """Return a column, or its first entry if all are alike."""
    return column[:1] if column.count(column[0]) == len(column) else column


def _said(column: Sequence[object], nothing: object = None) -> Sequence[object] | None:
    """Return a column, or None if it says nothing: encoding an empty column costs as much as a full one."""
    return None if column.count(nothing) == len(column) else column


def _answer(batch: Sequence[_Waiting], row: asyncpg.Record, *, resent: bool) -> None:
    """Tell every caller the verdict; what a resent batch finds known under its own fingerprint is its own work."""
    head: int = row["base"]
    counts: Counter[str] = Counter()
    for n, waiting in enumerate(batch):
        verdict: Verdict
        if row["verdicts"] is None:
            verdict = Accepted(head + 1, head + len(waiting.append.rows), row["stamp"])
        else:
            verdict = _sorted_out(waiting.append, n, row, resent=resent)
        if isinstance(verdict, Accepted):
            head = max(head, verdict.last)
        counts[type(verdict).__name__.lower()] += 1
        if not waiting.answer.done():
            waiting.answer.set_result(verdict)
    for name, count in counts.items():
        _VERDICTS.labels(name).inc(count)
    _HEAD.set(head)


def _sorted_out(append: Append, n: int, row: asyncpg.Record, *, resent: bool) -> Verdict:
    """Return the verdict on the n-th command of a batch that was gone through one by one."""
    said = row["verdicts"][n]
    if said == "s":
        return Stale()
    where = row["firsts"][n], row["lasts"][n], row["stamps"][n]
    if said == "a" or (resent and row["known_fingerprints"][n] == append.fingerprint):
        return Accepted(*where, found=said == "k")
    return Known(*where, row["known_fingerprints"][n], row["known_keys"][n])
