"""Writers: processes that append at random, and what they were told about their commands."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from uuid import UUID

ROOT = Path(__file__).parents[2]


@dataclass
class Told:
    """What the writers were told about their commands."""

    sent: set[UUID] = field(default_factory=set)
    accepted: dict[UUID, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    refused: set[UUID] = field(default_factory=set)

    @classmethod
    def of(cls, answers: Path) -> Self:
        """Read one process's lines."""
        told = cls()
        for line in answers.read_text().splitlines():
            command_id, *answer = line.split()
            match answer:
                case ["sent"]:
                    told.sent.add(UUID(command_id))
                case ["refused"]:
                    told.refused.add(UUID(command_id))
                case [first, last]:
                    told.accepted[UUID(command_id)].add((int(first), int(last)))
        return told


class Writers:
    """The writing processes, which slow down once the log holds `enough` events."""

    def __init__(self, dsn: str, directory: Path, enough: int) -> None:
        self.files: list[Path] = []
        self.killed = 0
        self._dsn = dsn
        self._directory = directory
        self._enough = enough
        self._running: list[asyncio.subprocess.Process] = []

    async def start_one(self) -> None:
        """Start another process."""
        file = self._directory / f"answers-{len(self.files)}"
        arguments = ["-m", "tests.faults.stress_writer", self._dsn, str(file), str(len(self.files)), str(self._enough)]
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self._running.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                stdin=asyncio.subprocess.PIPE,  # it ends when we do
            )
        )
        self.files.append(file)

    async def kill_one(self) -> None:
        """Kill the oldest process, and start another in its place."""
        victim = self._running.pop(0)
        victim.kill()
        await victim.wait()
        self.killed += 1
        await self.start_one()

    async def stop(self) -> None:
        """Let all finish what they have begun; none may have failed."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        codes = [await process.wait() for process in self._running]
        self._running.clear()
        assert codes == [0] * len(codes)

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        for process in self._running:
            with suppress(ProcessLookupError):
                process.kill()
