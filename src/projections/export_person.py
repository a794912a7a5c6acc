"""ExportPerson: everything the log holds about one person, opened, as a zip that is made while it is sent."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic_core import from_json

from domain.errors import UserUnknown
from domain.events import ConsentGranted, ConsentWithdrawn, ProfileUpdated, ProgressRecorded, UserRegistered
from domain.personal import Hidden
from eventstore.codec import event_types, stream_of
from eventstore.fence import Reads
from eventstore.keys import KeyStore
from eventstore.opening import open_personal
from eventstore.reader import LogReader
from eventstore.record import Record

PAGE = 500
"""Events that are held in memory at a time."""

_README = """\
Everything that Afterschool has recorded about one person.

profile.json   who they are, as they last told us
events.jsonl   every event, one JSON object a line, in the order of the log, personal fields included;
               here a score is in hundredths of a point, as the log keeps it
progress.csv   what was practised: score in points, time in seconds, times in UTC
consents.csv   who allowed what, from when until when
reads.csv      who else has read this person's data, when, and what allowed it

Other people appear by their ids only. Times are in UTC.
"""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the beginning of a formula."""

_PROGRESS = ("id", "occurred_at", "subject", "topic", "score", "time_spent", "completed", "source", "recorded_at")
_CONSENTS = ("id", "guardian_id", "policy_version", "scopes", "country", "method", "granted_at", "withdrawn_at")

_READS = ("id", "at", "actor", "role", "what", "why")

_SELECT_READS = f"""
select {", ".join(_READS)} from reads where student = $1 and id > $2 order by id limit $3
"""  # noqa: S608  fixed words

Fields = dict[str, Any]


class ExportPerson:
    """Reads a person's own events page by page; nothing is held longer than a page."""

    def __init__(self, reader: LogReader, rows: Reads, keys: KeyStore) -> None:
        self._reader = reader
        self._rows = rows
        self._keys = keys

    async def __call__(self, person_id: UUID) -> AsyncIterator[bytes]:
        """Yield the zip in pieces; raises `UserUnknown` before the first of them."""
        stream = stream_of("user", person_id)
        registered = await self._reader.last(stream, UserRegistered.TOPIC, up_to=1)
        if registered is None:
            raise UserUnknown
        changed = await self._reader.last(stream, ProfileUpdated.TOPIC)
        sent = _Sent()
        archive = zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED)
        archive.writestr("README.txt", _README)
        profile = {"id": str(person_id)} | await self._fields(registered)
        if changed:
            profile |= await self._fields(changed)
        archive.writestr("profile.json", orjson.dumps(profile, option=orjson.OPT_INDENT_2))
        yield sent.take()
        for name, rows in (
            ("events.jsonl", self._events(person_id)),
            ("progress.csv", self._progress(person_id)),
            ("consents.csv", self._consents(person_id)),
            ("reads.csv", self._reads(person_id)),
        ):
            with archive.open(name, "w", force_zip64=True) as member:
                async for piece in rows:
                    member.write(piece)
                    yield sent.take()
        archive.close()
        yield sent.take()

    async def _events(self, person_id: UUID) -> AsyncIterator[bytes]:
        async for page in self._reader.history(person_id, event_types(), limit=PAGE):
            lines = [orjson.dumps(_envelope(record) | {"data": await self._fields(record)}) for record in page]
            yield b"\n".join([*lines, b""])

    async def _progress(self, person_id: UUID) -> AsyncIterator[bytes]:
        yield _table([_PROGRESS])
        async for page in self._reader.history(person_id, {ProgressRecorded.TOPIC}, limit=PAGE):
            yield _table(map(_progress_row, page))

    async def _consents(self, person_id: UUID) -> AsyncIterator[bytes]:
        consents: dict[str, Fields] = {}
        async for page in self._reader.history(person_id, {ConsentGranted.TOPIC, ConsentWithdrawn.TOPIC}, limit=PAGE):
            for record in page:
                data = from_json(record.data)
                if record.type == ConsentGranted.TOPIC:
                    consents[data["consent_id"]] = data | {"granted_at": record.occurred_at, "withdrawn_at": None}
                else:
                    consents[data["consent_id"]]["withdrawn_at"] = record.occurred_at
        for one in consents.values():
            one |= {"id": one["consent_id"], "scopes": " ".join(one["scopes"])}
        yield _table([_CONSENTS, *([one[name] for name in _CONSENTS] for one in consents.values())])

    async def _reads(self, person_id: UUID) -> AsyncIterator[bytes]:
        yield _table([_READS])
        after = 0
        while page := await self._rows.fetch(_SELECT_READS, person_id, after, PAGE):
            yield _table(map(tuple, page))
            after = page[-1]["id"]

    async def _fields(self, record: Record) -> Fields:
        """Return an event's fields, the personal ones opened; after an erasure they read as `erased`."""
        fields: Fields = from_json(record.data)
        if record.sealed is None or record.subject is None:
            return fields
        personal = await open_personal(
            self._keys,
            record.subject,
            record.sealed,
            event_id=record.event_id,
            stream=record.stream,
            event_type=record.type,
            schema=record.schema,
        )
        return fields | ({"personal": personal.value} if isinstance(personal, Hidden) else personal)


class _Sent(io.RawIOBase):
    """Where the archive is written to, until somebody takes what there is."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:  # noqa: ANN401  any buffer
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """Return what was written since it was last taken."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _envelope(record: Record) -> Fields:
    return {
        "position": record.position,
        "id": str(record.event_id),
        "type": record.type,
        "schema": record.schema,
        "stream": record.stream,
        "version": record.version,
        "occurred_at": record.occurred_at,
        "recorded_at": record.recorded_at,
        "actor": str(record.actor),
        "command_id": str(record.command_id),
        "consent_id": record.consent_id and str(record.consent_id),
    }


def _progress_row(record: Record) -> tuple[object, ...]:
    data = from_json(record.data)
    told = (data["subject"], data["topic"], data["score"] / 100, data["time_spent"], data["completed"], data["source"])
    return record.event_id, record.occurred_at, *told, record.recorded_at


def _table(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
