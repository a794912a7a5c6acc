"""Bank: the published questions as whoever selects sees them; immutable snapshots in memory, named by position.

A snapshot holds what selection knows of each question, folded straight from the log; it is replaced by a later one as a
whole and never changes, so that whoever has one goes on with it undisturbed. What a question says is read by id and
version when it is served. Any past snapshot can be made again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from domain.errors import Unavailable
from domain.events import QuestionPublished
from domain.question import Question
from domain.selection import Candidate, Shelf
from eventstore.codec import decode, stream_of
from eventstore.connections import LOST
from eventstore.record import COLUMNS, Record

PAGE = 2000
"""Events that are taken in at once."""
PACE = 1.0
"""Seconds between two looks at the log."""
KEPT = 5000
"""Questions whose contents are kept in memory."""

logger = structlog.get_logger()

_PAGE = """
select position, question.*
from events cross join lateral json_to_record(data -> 'question') as question(
    id uuid, version int, grade int, subject text, topic text, skill text, difficulty text, family text
)
where stream like 'question-%' and type = 'QuestionPublished' and position > $1 and position <= $2
order by position limit $3
"""
_CONTENTS = f"""
select {COLUMNS} from events
where stream = any($1) and type = 'QuestionPublished' and (data -> 'question' ->> 'version')::int = any($2)
"""  # noqa: S608  fixed words
_END = 2**63 - 1

Version = tuple[UUID, int]
"""A question's id, and which version of it."""


class Place(NamedTuple):
    """Which questions belong together."""

    grade: int
    subject: str
    topic: str


class _Topic:
    """The candidates of one place, and the shelf that is made of them once."""

    def __init__(self, candidates: Mapping[UUID, Candidate]) -> None:
        self.candidates = candidates

    @cached_property
    def shelf(self) -> Shelf:
        return Shelf(self.candidates.values())


_NOTHING = _Topic({})


class Snapshot:
    """The bank as it was once the last event up to `position` was taken in."""

    def __init__(self, position: int, topics: Mapping[Place, _Topic]) -> None:
        self.position = position
        self.topics = topics

    def shelf(self, grade: int, subject: str, topic: str) -> Shelf:
        """Return the published questions of a topic; an empty shelf where there are none."""
        return self.topics.get(Place(grade, subject, topic), _NOTHING).shelf


class _Fold:
    """The bank in the making: takes events in and gives snapshots out, which share what has not changed."""

    def __init__(self) -> None:
        self.position = 0
        self._places: dict[UUID, Place] = {}
        self._topics: dict[Place, _Topic] = {}
        self._changed: dict[Place, dict[UUID, Candidate]] = {}

    def take(self, rows: Iterable[asyncpg.Record]) -> None:
        """Take published versions in, in the order of the log."""
        for row in rows:
            question_id, place = row["id"], Place(row["grade"], row["subject"], row["topic"])
            former = self._places.get(question_id, place)
            if former != place:
                del self._change(former)[question_id]
            self._places[question_id] = place
            self._change(place)[question_id] = _candidate(row)
            self.position = row["position"]

    def snapshot(self) -> Snapshot:
        """Return the bank as it is now; makes the shelves that have changed, which takes a while."""
        changed = {place: _Topic(candidates) for place, candidates in self._changed.items()}
        for topic in changed.values():
            topic.shelf  # noqa: B018  made here, so that nobody waits for it
        self._topics = self._topics | changed
        self._changed = {}
        return Snapshot(self.position, self._topics)

    def _change(self, place: Place) -> dict[UUID, Candidate]:
        """Return the candidates of a place, to be changed."""
        if place not in self._changed:
            self._changed[place] = dict(self._topics.get(place, _NOTHING).candidates)
        return self._changed[place]


def _candidate(row: asyncpg.Record) -> Candidate:
    """Make a candidate: without a skill it trains its topic's, without relatives it is its own family."""
    return Candidate(
        row["id"], row["version"], row["skill"] or row["topic"], row["difficulty"], row["family"] or str(row["id"])
    )


class Bank:
    """The bank of one process; `keep_looking` refreshes it."""

    def __init__(self, pool: asyncpg.Pool, *, kept: int = KEPT) -> None:
        self._pool = pool
        self._fold = _Fold()
        self._snapshot: Snapshot | None = None
        self._refreshing = asyncio.Lock()
        self._kept = kept
        self._contents: OrderedDict[Version, Question] = OrderedDict()

    def snapshot(self) -> Snapshot:
        """Return the latest snapshot; raises `Unavailable` until the first is made."""
        if self._snapshot is None:
            raise Unavailable
        return self._snapshot

    async def refresh(self) -> Snapshot:
        """Take in what the log has gained and return the snapshot of it; who reads meanwhile sees the one before."""
        async with self._refreshing:
            await self._take_in(self._fold, _END)
            if self._snapshot is None or self._snapshot.position != self._fold.position:
                self._snapshot = await asyncio.to_thread(self._fold.snapshot)
            return self._snapshot

    async def at(self, position: int) -> Snapshot:
        """Make the snapshot that was the latest at a position of the log."""
        fold = _Fold()
        await self._take_in(fold, position)
        return await asyncio.to_thread(fold.snapshot)

    async def contents(self, versions: Sequence[Version]) -> list[Question]:
        """Return what these versions say, in their order; raises `LookupError` for one that was never published."""
        found = {version: self._contents[version] for version in versions if version in self._contents}
        missing = [version for version in versions if version not in found]
        if missing:
            found |= await self._read(missing)
        for version in found:
            self._contents[version] = found[version]
            self._contents.move_to_end(version)
        while len(self._contents) > self._kept:
            self._contents.popitem(last=False)
        return [found[version] for version in versions]

    async def keep_looking(self) -> None:
        """Refresh for ever; while Postgres is away the last snapshot stays."""
        is_away = False
        while True:
            try:
                await self.refresh()
                is_away = False
            except (*LOST, asyncpg.PostgresError) as error:
                if not is_away:
                    logger.warning("bank_not_refreshed", error=type(error).__name__)
                is_away = True
            await asyncio.sleep(PACE)

    async def _take_in(self, fold: _Fold, up_to: int) -> None:
        while rows := await self._pool.fetch(_PAGE, fold.position, up_to, PAGE):
            fold.take(rows)

    async def _read(self, versions: Collection[Version]) -> dict[Version, Question]:
        streams = [stream_of(QuestionPublished.CATEGORY, question_id) for question_id, _ in versions]
        rows = await self._pool.fetch(_CONTENTS, streams, [version for _, version in versions])
        events = [decode(Record(*row)) for row in rows]
        questions = [event.question for event in events if isinstance(event, QuestionPublished)]
        return {(question.id, question.version): question for question in questions}
