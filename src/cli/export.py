"""Export: a stretch of the log as lines, page by page, in constant memory, and to be gone on with where it ended."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import orjson
import typer

from cli.event_lines import FIRST_BYTES, json_line
from domain.errors import LogBroken
from eventstore.reader import PAGE, LogReader
from eventstore.record import Record

WINDOW = 100_000
"""Positions that one statement looks through at most, so that a rare type never runs into the time limit."""
_TAIL = 1 << 20
"""Bytes at the end of a file in which its last line is looked for; longer than any line."""


class ExportRefused(Exception):
    """The output cannot be written or gone on with; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events: behind a position, up to another, of some types, about one person."""

    after: int
    up_to: int
    types: Sequence[str] | None = None
    subject: UUID | None = None

    async def pages(
        self, reader: LogReader, *, window: int = WINDOW, limit: int = PAGE
    ) -> AsyncIterator[tuple[int, list[Record]]]:
        """Yield the position reached and the events up to it, in order; raises `LogBroken` where the log has a hole.

        One page looks through at most `window` positions and holds at most `limit` events.
        """
        reached = self.after
        while reached < self.up_to:
            end = min(reached + window, self.up_to)
            page = await reader.read(reached, up_to=end, types=self.types, subject=self.subject, limit=limit)
            last = page[-1].position if len(page) == limit else end
            if self.types is None and self.subject is None and len(page) != last - reached:
                raise LogBroken(after=reached)
            yield last, page
            reached = last


@dataclass(frozen=True, slots=True)
class Exported:
    """How far an export has come: events written, and the position up to which the log was looked through."""

    events: int
    reached: int


async def export_lines(
    reader: LogReader, selection: Selection, output: BinaryIO, *, with_sealed: bool
) -> AsyncIterator[Exported]:
    """Write the selected events, a JSON object a line, and yield how far it has come after every page."""
    done = Exported(0, selection.after)
    async for reached, page in selection.pages(reader):
        lines = b"".join([json_line(record, with_sealed=with_sealed) for record in page])
        try:
            output.write(lines)
            output.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ExportRefused(f"The output cannot be written: {error.strerror}.") from None
        done = Exported(done.events + len(page), reached)
        yield done


@contextmanager
def open_output(file: Path | None, after: int) -> Iterator[BinaryIO]:
    """Open standard output, or a file for its owner's eyes only.

    A file that exists is only ever added to: it must be an export whose last position is not beyond `after`. A line
    that was cut off when an export died is removed first. Raises `ExportRefused`.
    """
    if file is None:
        yield typer.get_binary_stream("stdout")
        return
    if file.exists() and not file.is_file():  # a pipe or a device has no last line
        with file.open("wb") as output:
            yield output
        return
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as output:
        last = _go_behind_last_line(output)
        if last is None:
            raise ExportRefused(f"{file} is not an export of events; choose another file.")
        if last > after:
            raise ExportRefused(f"{file} ends with position {last}: go on with --after {last}, or choose another file.")
        yield output


def _go_behind_last_line(output: BinaryIO) -> int | None:
    """Cut off an unfinished last line, if any; return the last line's position, 0 without lines, None in another file.

    Nothing is cut off another file.
    """
    size = output.seek(0, os.SEEK_END)
    output.seek(0)
    first = output.read(len(FIRST_BYTES))
    if not FIRST_BYTES.startswith(first):
        return None
    begin = output.seek(max(0, size - _TAIL))
    whole = output.read().rpartition(b"\n")[0]
    if begin and not whole:
        return None
    try:
        last = int(orjson.loads(whole.rpartition(b"\n")[2])["position"]) if whole else 0
    except (ValueError, LookupError, TypeError):
        return None
    output.seek(begin + len(whole) + bool(whole))
    output.truncate()
    return last
