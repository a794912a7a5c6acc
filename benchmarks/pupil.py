"""Pupil: one student of a learner log, registered by a guardian, who reports each answer in the file's order."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.client import Client
from benchmarks.guardian import Guardian, password_of
from benchmarks.stream import Line, read_stream

LONGEST = 600
"""Seconds that an invented `time_spent` may have: it is the gap since the student's last answer, up to this."""
FIRST = 60
"""Seconds invented for a student's first answer, which has no gap before it."""
CHILDREN = 20
"""Pupils of one guardian, whom they register one after the other: few sign-ins more, and still many at a time."""


class Report(NamedTuple):
    """A line of the file as it is reported."""

    number: int
    line: Line
    time_spent: int
    """Invented: the file has no durations."""


class Pupil:
    """Someone invented, with the answers of one student of the file; a repeat of anything takes no effect."""

    def __init__(self, file_id: str, number: int, guardian: Guardian, reports: list[Report]) -> None:
        self.file_id = file_id
        self.reports = reports
        self._client = Client(guardian.url)
        self._run = guardian.run
        self._number = number
        self._guardian = guardian
        self._id = ""
        self._token = ""
        self._last_position = 0

    async def enrol(self) -> None:
        """Be registered, and sign in."""
        account = {
            "email": f"student-{self._number}@{self._run}.example.org",
            "password": password_of(self._run, str(self._number)),
        }
        profile = {"name": f"Student {self._number}", "grade_level": self._number % 9, "learning_preferences": []}
        key = f"{self._run}-student-{self._number}"
        self._id = await self._guardian.register(account | {"profile": profile}, key)
        signed_in = await self._client.ask("POST", "/auth/login", body=account)
        self._token = json.loads(signed_in.body)["access_token"]
        self._client.close()

    async def play(self, answered: Callable[[float], None]) -> None:
        """Report every answer, each when the one before is recorded; tell how many seconds each one took."""
        for report in self.reports:
            began = time.perf_counter()
            recorded = await self._client.ask(
                "POST", "/progress", body=self._body(report), token=self._token, key=f"{self._run}-{report.number}"
            )
            answered(time.perf_counter() - began)
            self._last_position = int(recorded.header("event-position") or 0)
        self._client.close()

    async def read_summary(self) -> dict[str, Any]:
        """Return the summary that holds the last report, its numbers as decimals."""
        path = f"/progress/{self._id}?min_position={self._last_position}"
        while (answer := await self._client.ask("GET", path, token=self._token)).header("stale-by"):
            pass
        self._client.close()
        summary: dict[str, Any] = json.loads(answer.body, parse_float=Decimal)
        return summary

    def _body(self, report: Report) -> dict[str, object]:
        _, _, subject, topic, score = report.line
        practised = {"student_id": self._id, "subject": subject, "topic": topic, "score": score}
        return {**practised, "time_spent": report.time_spent, "completed": True}


def pupils_of(file: Path, url: str, run: str, limit: int | None) -> list[Pupil]:
    """Return the students of the first `limit` lines with their answers, those with the most first."""
    lines: dict[str, list[tuple[int, Line]]] = defaultdict(list)
    for number, line in enumerate(islice(read_stream(file), limit), start=1):
        lines[line.student_id].append((number, line))
    guardians = [Guardian(url, run, n) for n in range(1, 2 + len(lines) // CHILDREN)]
    pupils = [
        Pupil(name, n, guardians[n // CHILDREN], _reports(own)) for n, (name, own) in enumerate(lines.items(), start=1)
    ]
    return sorted(pupils, key=lambda pupil: len(pupil.reports), reverse=True)


def _reports(lines: list[tuple[int, Line]]) -> list[Report]:
    gaps = (min(later.t - earlier.t, LONGEST) for (_, earlier), (_, later) in pairwise(lines))
    return [Report(*numbered, gap) for numbered, gap in zip(lines, [FIRST, *gaps], strict=True)]
