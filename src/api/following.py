"""Following: what a stream tells of a student, from a position of the log on, for as long as its reader may know."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg
from fastapi.sse import format_sse_event
from pydantic import BaseModel, JsonValue
from pydantic_core import from_json

from api.errors import name_of
from api.event_stream import RETRY, Say
from api.live import PAUSE, Stream, StreamMetrics
from domain.errors import NotAllowed, NotSignedIn, Unavailable
from eventstore.connections import LOST
from eventstore.reader import LogReader
from eventstore.record import Record

EVENTS = 100
"""Events that are read and sent at once, and so held in memory by one stream."""

_AWAY = (*LOST, asyncpg.PostgresError, Unavailable)

Admit = Callable[[], Awaitable[float]]
"""Returns for how many seconds the reader may follow unasked; raises `NotSignedIn` and `NotAllowed`."""


class Started(BaseModel):
    """Everything about the student that stands behind this position of the log will follow."""

    position: int


class LiveEvent(BaseModel):
    """One event about the student; `data` has its fields as docs/events.md tells, without the personal ones.

    A score is in hundredths of a point here, as the log keeps it.
    """

    position: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, JsonValue]


async def follow(
    say: Say,
    *,
    reader: LogReader,
    stream: Stream,
    metrics: StreamMetrics,
    after: int,
    admit: Admit,
    admitted: float,
) -> None:
    """Say what the log holds about the student behind `after`, then what is appended, until the stream ends.

    `admitted` is for how many seconds the reader was admitted at first. While the log, or whoever can tell if the
    reader may know, is away, nothing is said.
    """
    clock = asyncio.get_running_loop().time
    await say(_block("start", Started(position=after), after, retry=RETRY))
    news, admitted_until = False, clock() + admitted
    while not stream.ended.done():
        news = news or await stream.wait_for_news(admitted_until - clock())
        try:
            if clock() >= admitted_until:
                admitted_until = clock() + await admit()
            page = await reader.read(after, subject=stream.student_id, limit=EVENTS) if news else []
        except (NotSignedIn, NotAllowed) as refusal:
            stream.end(name_of(type(refusal)))
            return
        except _AWAY:
            await asyncio.sleep(PAUSE)
            continue
        if page:
            await say(b"".join(map(_event, page)))
            after = page[-1].position
            metrics.sent.inc(len(page))
        news = len(page) == EVENTS


def _event(record: Record) -> bytes:
    told = LiveEvent(
        position=record.position,
        type=record.type,
        occurred_at=record.occurred_at,
        recorded_at=record.recorded_at,
        data=from_json(record.data),
    )
    return _block(record.type, told, record.position)


def _block(event: str, data: BaseModel, position: int, retry: int | None = None) -> bytes:
    return format_sse_event(event=event, id=str(position), data_str=data.model_dump_json(), retry=retry)
