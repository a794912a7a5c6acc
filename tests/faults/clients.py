"""Clients: students' devices that report, repeat, give up, hang up and read, whatever the system is going through."""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain.consent import POLICY
from tests.faults.journal import Journal, Read, Sent

ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati")
PASSWORD = "correct horse battery staple"
TRY_FOR = 60.0
"""Seconds after which a device that gets no answer complains."""
OTHER_BODY = 80_000
"""Added to a command's number when its key is sent with another body, which must never be in the log."""


@dataclass
class Device:
    """One student's device, which repeats what it sent until it is answered or given up."""

    http: httpx.AsyncClient
    journal: Journal
    chance: random.Random
    name: str
    zone: str
    student: str = ""
    number: int = 0
    known: int = 0
    """The highest position this device was told of."""
    shown: int = 0
    """The highest `as_of` this device was shown when it asked for all it knew."""
    headers: dict[str, str] = field(default_factory=dict)

    async def sign_up(self) -> None:
        """Be registered by a parent who consents, and sign in."""
        parent, child = f"{self.name}-parent", self.name
        await self._register(parent, {"role": "parent"}, {"grade_level": None})
        await self._sign_in(parent)
        consent = {"policy_version": POLICY, "scopes": ["learning"], "country": "IT"}
        made = await self._register(child, {"role": "student", "consent": consent}, {"grade_level": 3})
        self.student = made.json()["id"]
        self.known = int(made.headers["event-position"])
        await self._sign_in(child)

    async def _register(self, name: str, account: dict[str, Any], profile: dict[str, Any]) -> httpx.Response:
        profile |= {"name": name, "learning_preferences": [], "timezone": self.zone}
        body = account | {"email": f"{name}@example.org", "password": PASSWORD, "profile": profile}
        return await self._insist("POST", "/users", body, key=name, expected=201)

    async def _sign_in(self, name: str) -> None:
        tokens = await self._insist("POST", "/auth/login", {"email": f"{name}@example.org", "password": PASSWORD})
        self.headers = {"Authorization": f"Bearer {tokens.json()['access_token']}"}

    async def do_something(self) -> None:
        """Do one thing or another."""
        doings = [self.report] * 12 + [self.report_at_once, self.hang_up, self.hang_up_and_repeat]
        doings += [self.report_many, self.report_many, self.reuse_a_key]
        doings += [self.read_all_i_know, self.read_all_i_know, self.read]
        await self.chance.choice(doings)()

    async def report(self) -> None:
        """Send a report until it is acknowledged."""
        await self._settle(self._new())

    async def report_at_once(self, times: int = 2) -> None:
        """Send the same report on several connections."""
        sent = self._new()
        await asyncio.gather(*(self._settle(sent) for _ in range(times)))

    async def report_many(self, reports: int = 5) -> None:
        """Send several reports at once."""
        await asyncio.gather(*(self._settle(self._new()) for _ in range(reports)))

    async def report_and_read_at_once(self) -> None:
        """Report while others, a parent perhaps, read: their reads race the projector to the cache."""
        await asyncio.gather(self.report(), *(self._read(None, after=self.chance.uniform(0, 0.03)) for _ in range(6)))

    async def hang_up(self) -> None:
        """Send a report and don't wait for the answer; nobody ever learns what became of it."""
        sending = asyncio.create_task(self._send(self._new()))
        await asyncio.wait({sending}, timeout=self.chance.uniform(0, 0.03))
        sending.cancel()
        with suppress(asyncio.CancelledError, httpx.TransportError):
            await sending

    async def hang_up_and_repeat(self) -> None:
        """Hang up, then find out by sending the report again."""
        await self.hang_up()
        await self._settle(self.journal_of_mine())

    def journal_of_mine(self) -> Sent:
        """Return the last command this device sent."""
        return next(sent for sent in reversed(self.journal.sent) if sent.student == self.student)

    async def reuse_a_key(self) -> None:
        """Send another body under a key that was used."""
        sent = self._new()
        await self._settle(sent)
        other = sent.body | {"time_spent": sent.body["time_spent"] + OTHER_BODY}
        answer = await self._insist("POST", "/progress", other, key=sent.key, expected=422)
        if not answer.json().get("type", "").endswith("idempotency-key-reused"):
            self.journal.complaints.append("a reused key was refused for another reason")

    async def read_all_i_know(self) -> None:
        """Read a summary that holds everything this device was told of."""
        await self.is_shown_all_i_know()

    async def is_shown_all_i_know(self) -> bool:
        """Read it and tell whether it does not say that something is missing."""
        read = await self._read(self.known)
        position = json.loads(read.body)["as_of"]["position"]
        if position < self.shown:
            self.journal.complaints.append(f"as_of went back from {self.shown} to {position}")
        self.shown = position
        return not read.stale_by

    async def read(self) -> None:
        """Read whatever summary is at hand."""
        await self._read(None)

    async def _read(self, min_position: int | None, after: float = 0.0) -> Read:
        await asyncio.sleep(after)
        query = "" if min_position is None else f"?min_position={min_position}"
        answer = await self._insist("GET", f"/progress/{self.student}{query}")
        stale_by = int(answer.headers.get("stale-by", 0))
        read = Read(self.student, answer.content, min_position, stale_by)
        self.journal.reads.append(read)
        return read

    def _new(self) -> Sent:
        self.number += 1
        body: dict[str, Any] = {
            "student_id": self.student,
            "subject": self.chance.choice(["math", "science"]),
            "topic": self.chance.choice(["angles", "fractions", "plants"]),
            "score": self.chance.randrange(10_001) / 100,
            "time_spent": self.number,
            "completed": self.chance.random() < 0.5,
        }
        if self.chance.random() < 0.3:
            earlier = datetime.now(UTC) - timedelta(seconds=self.chance.randrange(29 * 86_400))
            body["occurred_at"] = earlier.isoformat()
        sent = Sent(self.student, f"{self.name}-{self.number}", body, self.known)
        self.journal.sent.append(sent)
        return sent

    async def _settle(self, sent: Sent) -> None:
        answer = await self._insist("POST", "/progress", sent.body, key=sent.key, expected=201)
        self._note(sent, answer)

    async def _send(self, sent: Sent) -> None:
        answer = await self._once("POST", "/progress", sent.body, sent.key)
        if answer.status_code == 201:
            self._note(sent, answer)

    def _note(self, sent: Sent, answer: httpx.Response) -> None:
        position = int(answer.headers["event-position"])
        sent.answers.append((position, answer.content))
        self.known = max(self.known, position)

    async def _insist(
        self, method: str, path: str, body: object = None, *, key: str | None = None, expected: int | None = None
    ) -> httpx.Response:
        """Repeat a request until it is answered with anything but an outage."""
        outages: Counter[str] = Counter()
        until = time.monotonic() + TRY_FOR
        while True:
            try:
                answer = await self._once(method, path, body, key)
                if answer.status_code < 500:
                    break
                outages[answer.text.partition('","')[0]] += 1
            except httpx.TransportError as error:
                outages[repr(error)] += 1
            assert time.monotonic() < until, f"no answer to {method} {path}: {outages}"
            await asyncio.sleep(self.chance.uniform(0.01, 0.1))
        if answer.status_code != (expected or answer.status_code) or (expected is None and not answer.is_success):
            self.journal.complaints.append(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer

    async def _once(self, method: str, path: str, body: object, key: str | None) -> httpx.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        try:
            answer = await self.http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            self.journal.statuses[type(error).__name__] += 1
            raise
        self.journal.statuses[f"{method} {answer.status_code}"] += 1
        return answer
