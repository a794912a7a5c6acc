"""Erasure ledger: who was erased and when, in a file away from the database, so that no restored backup forgets it.

One JSON object a line, random ids and dates only. Lines are added and never changed; whoever keeps backups of the
database keeps this file for as long as the oldest of them.
"""

import asyncio
import errno
import os
from datetime import date
from pathlib import Path
from uuid import UUID

import orjson
import structlog

from adapters.embedded.durable import sync_directory

logger = structlog.get_logger()


class FileLedger:
    """The port `commands.ports.ErasureLedger` on a file that must be there: without it, nobody would be missed."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def begin(self) -> None:
        """Make the file, empty, unless it is there; raises `OSError`."""
        await asyncio.to_thread(self._begin)

    async def add(self, person_id: UUID, on: date) -> None:
        """Bring the line to disk, unless it is there; raises `OSError`."""
        await asyncio.to_thread(self._add, person_id, on)

    async def read(self) -> dict[UUID, date]:
        """Return everyone who was erased, with the date; raises `OSError`."""
        return await asyncio.to_thread(self._read)

    def _begin(self) -> None:
        self._file.touch(mode=0o600)
        sync_directory(self._file.parent)

    def _add(self, person_id: UUID, on: date) -> None:
        is_there = person_id in self._read()
        handle = os.open(self._file, os.O_RDONLY if is_there else os.O_RDWR | os.O_APPEND)
        try:
            if not is_there:
                _append(handle, orjson.dumps({"person_id": str(person_id), "erased_on": on.isoformat()}) + b"\n")
            os.fsync(handle)  # a line that is there as well: whoever wrote it may have died before this
        finally:
            os.close(handle)

    def _read(self) -> dict[UUID, date]:
        erased = {}
        for number, line in enumerate(self._file.read_bytes().splitlines(), start=1):
            try:
                entry = orjson.loads(line)
                erased[UUID(entry["person_id"])] = date.fromisoformat(entry["erased_on"])
            except (ValueError, KeyError, TypeError):  # torn by a crash: that erasure was not done and is added again
                logger.warning("erasure_ledger_line_unreadable", line=number)
        return erased


def _append(handle: int, line: bytes) -> None:
    """Write a line behind the last one, which a crash may have torn; raises `OSError` unless there is room for all."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    if os.write(handle, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
