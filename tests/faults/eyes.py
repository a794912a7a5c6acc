"""Eyes: look through whatever an answer holds, packed or encoded, for words and ids of people it is not for."""

import binascii
import io
import re
import zipfile
import zlib
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field

import asyncpg
import httpx

from tests.faults.neighbours import GRACE, MARK, Neighbours, Person

NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CODE = re.compile(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}\b")
ENCODED = re.compile(r"eyJ[\w-]+")
"""A part of a token, which anyone who holds it can read."""


@dataclass(frozen=True)
class Seen:
    """Somebody was shown a number of which nothing was known when it came."""

    viewer: Person | None
    sent: float
    answered: float


@dataclass
class Eyes:
    """Whoever is shown something foreign is noted in `foreign`, in words."""

    neighbours: Neighbours
    foreign: list[str] = field(default_factory=list)
    unknown: dict[tuple[Person | None, str], Seen] = field(default_factory=dict)

    def look(self, what: str, viewer: Person | None, sent: float, answered: float, text: str) -> None:
        """Note every foreign mark, id and code in what was shown to somebody between two moments."""
        for packed in ENCODED.findall(text):
            text += _decoded(packed)
        for mark in set(MARK.findall(text.lower())):
            person = self.neighbours.by_mark.get(mark)
            if not person or not self._may_see(viewer, person, sent, answered):
                self.foreign.append(f"{what}: a mark")
        for number in {*NUMBER.findall(text.lower()), *CODE.findall(text)}:
            if (verdict := self._may_see_number(viewer, number, sent, answered)) is None:
                self.unknown.setdefault((viewer, number), Seen(viewer, sent, answered))
            elif not verdict:
                self.foreign.append(f"{what}: an id or a code")

    async def look_into_log(self, connection: asyncpg.Connection) -> int:
        """Judge what was unknown by whose events it names, and return how many such numbers there were."""
        rows = await connection.fetch("select event_id, command_id, subject from events where subject is not null")
        about: dict[str, set[Person]] = {}
        for row in rows:
            for number in (row["event_id"], row["command_id"]):
                if person := self.neighbours.by_id.get(str(row["subject"])):
                    about.setdefault(str(number), set()).add(person)
        known = {key: seen for key, seen in self.unknown.items() if key[1] in about}
        for (viewer, number), seen in known.items():
            if not any(self._may_see(viewer, person, seen.sent, seen.answered) for person in about[number]):
                self.foreign.append("an event of somebody else")
        return len(known)

    def _may_see(self, viewer: Person | None, person: Person, sent: float, answered: float) -> bool:
        return viewer is not None and self.neighbours.may_follow(viewer, person, sent, answered, GRACE)

    def _may_see_number(self, viewer: Person | None, number: str, sent: float, answered: float) -> bool | None:
        if person := self.neighbours.by_id.get(number):
            return viewer is not None and self.neighbours.may_know(viewer, person, sent, answered)
        if thing := self.neighbours.things.get(number):
            return viewer is not None and (thing.by is viewer or self._may_see(viewer, thing.about, sent, answered))
        return None


def text_of(answer: httpx.Response) -> str:
    """Return headers and body as one text, the members of a zip unpacked."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    if answer.headers.get("content-type") != "application/zip":
        return f"{head}\n{answer.text}"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        members = [f"{name}\n{archive.read(name).decode()}" for name in archive.namelist()]
    return "\n".join([head, *members])


def _decoded(packed: str) -> str:
    try:
        return urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8", "replace")
    except (binascii.Error, zlib.error):
        return ""
