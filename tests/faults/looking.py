"""Looking: every query of the API, asked by anybody about anybody, and streams that are followed for a while."""

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from tests.api.live import TLS
from tests.faults.asking import NEVER, Answered, Asking
from tests.faults.eyes import text_of
from tests.faults.neighbours import GRACE, Link, Person, Thing, Token

GLANCE = 0.4
"""Seconds for which somebody looks at a live stream."""
WATCH = 8.0
"""Seconds for which somebody follows one."""
LIVE = "GET /live/{student_id}"


class Looking(Asking):
    """Everybody's questions; each takes the one who asks."""

    async def get_progress_summary(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        asked: dict[str, str | int] = {
            "min_position": self.position(),
            "as_of": self.position(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        name = self.chance.choice(["", "", "", *asked])
        it = await self.ask(
            "GET /progress/{student_id}",
            viewer,
            path={"student_id": self.id_of(person)},
            query={name: asked[name]} if name else None,
        )
        has_summary = person and person.role == "student" and name in {"", "min_position"}
        good = self.judge_read(it, person, {200} if has_summary else {200, 404})
        if it and good and it.json["student_id"] != (person.id if person else ""):
            self.complain(it, "was told of somebody else")

    async def get_user_profile(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        tag = self.tag()
        headers = {"if-none-match": tag} if tag and self.chance.random() < 0.3 else {}
        query = {"min_position": self.position()} if self.chance.random() < 0.3 else None
        it = await self.ask("GET /users/{id}", viewer, path={"id": self.id_of(person)}, query=query, headers=headers)
        fits = headers and person and tag == person.tag
        if self.judge_read(it, person, {200, 304} if fits else {200}) and it and person:
            person.tag = it.answer.headers["etag"]
            if person.mark not in it.answer.text:
                self.complain(it, "was told of somebody else")

    async def export_person(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        it = await self.ask("GET /users/{id}/export", viewer, path={"id": self.id_of(person)})
        self.judge_read(it, person, {200})

    async def list_accesses(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        after = f"{self.chance.randrange(20_000):016x}"
        query = {"after": after} if self.chance.random() < 0.5 else None
        it = await self.ask("GET /users/{id}/access-log", viewer, path={"id": self.id_of(person)}, query=query)
        self.judge_read(it, person, {200})

    async def get_assessment(self, viewer: Person) -> None:
        number, person, _ = self.assessment()
        it = await self.ask("GET /assessments/{id}", viewer, path={"id": number})
        self.judge_read(it, person, {200})

    async def list_assessments(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        query: dict[str, str | int] = {"student_id": self.id_of(person)}
        if self.chance.random() < 0.3:
            query["after"] = f"{self.position():016x}"
        it = await self.ask("GET /assessments", viewer, query=query)
        self.judge_read(it, person, {200})

    def assessment(self) -> tuple[str, Person | None, list[str]]:
        """Return an assessment, be it anybody's, seldom one that is none."""
        known = self.neighbours.assessments
        return self.chance.choice(known) if known and self.chance.random() < 0.9 else (self.missing(), None, [])

    async def list_consents(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        it = await self.ask("GET /users/{student_id}/consents", viewer, path={"student_id": self.id_of(person)})
        if self.judge_read(it, person, {200}) and it and person:
            for consent in it.json["items"]:
                self.know_consent(consent["id"], person)

    async def follow_student(self, viewer: Person) -> None:
        """Open a stream, from wherever one likes, and read a little of it."""
        person = self.somebody(viewer)
        headers = {"last-event-id": str(self.chance.choice([0, self.position()]))} if self.chance.random() < 0.7 else {}
        query = {"after": self.position()} if self.chance.random() < 0.3 else None
        await self.listen(viewer, person, GLANCE, headers, query)

    async def list_guardianships(self, viewer: Person) -> None:
        it = await self.ask("GET /guardianships", viewer)
        if it is None or not self.judge(it, None if viewer.erased else True, {200}):
            return
        links = self.neighbours.links_of(viewer)
        numbers = {(one["guardian_id"], one["student_id"]): one["id"] for one in it.json["items"]}
        for link in links:
            if number := numbers.get((link.guardian.id, link.student.id)):
                self.know_link(link, number)
        listed = set(numbers)
        pairs = {(link.guardian.id, link.student.id) for link in links if link.may_hold(it.sent, it.answered)}
        certain = {(link.guardian.id, link.student.id) for link in links if link.holds(it.sent, it.answered)}
        unheard = {pair for pair in listed if not {*pair} <= self.neighbours.by_id.keys()}
        if not certain <= listed <= pairs | unheard and not viewer.erased:
            self.complain(it, "was shown other guardianships than there are")

    async def ask_for_health(self, _: Person) -> None:
        for operation in ("GET /health/live", "GET /health/ready"):
            await self.ask(operation, None)

    async def listen(
        self,
        viewer: Person,
        person: Person | None,
        seconds: float,
        headers: dict[str, str],
        query: dict[str, int] | None = None,
    ) -> None:
        """Look at a stream for so long, at each piece of it with the eyes of its moment."""
        token = self._any_token(viewer)
        shown = headers | ({"authorization": f"Bearer {token.text}"} if token.text else {})
        address = f"{self.chance.choice(self.village.apis).url}/live/{self.id_of(person)}"
        sent = time.monotonic()
        with suppress(httpx.TransportError, TimeoutError):
            async with (
                httpx.AsyncClient(timeout=10, verify=TLS) as client,
                client.stream("GET", address, params=query, headers=shown) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                it = Answered(LIVE, viewer, answer, sent, time.monotonic())
                self.asked[LIVE] += 1
                self.statuses[it.status] += 1
                told = str(answer.headers) if answer.is_success else text_of(answer)
                self.eyes.look(LIVE, viewer, sent, it.answered, told)
                is_refused = it.status >= 500 or self._is_refused(it, token)
                if not is_refused and self.judge_read(it, person, {200}) and person:
                    async with asyncio.timeout(seconds):
                        await self._listen(it, person)

    async def _listen(self, it: Answered, person: Person) -> None:
        async with aclosing(it.answer.aiter_text()) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                now = time.monotonic()
                self.eyes.look(LIVE, it.viewer, now, now, piece)
                if (
                    it.viewer is not person
                    and self.may_see(replace(it, sent=now, answered=now), person, GRACE) is False
                ):
                    self.complain(it, "is still told of somebody")

    async def watch(self) -> None:
        """Follow one after the other for a while, for ever."""
        while True:
            link = self.chance.choice([link for link in self.neighbours.links if link.begun.done and not link.ends()])
            if link.guardian.tokens and not link.guardian.is_quiet:
                await self.listen(link.guardian, link.student, WATCH, {})
            await asyncio.sleep(0.1)

    async def look_for_the_erased(self) -> None:
        """Let everybody who was ever family of somebody erased ask for them once more."""
        for person in [person for person in self.neighbours.people if person.erased]:
            for viewer in {person, *(link.guardian for link in self.neighbours.links_of(person))}:
                for operation in ("GET /users/{id}", "GET /users/{id}/export"):
                    it = await self.ask(operation, viewer, path={"id": person.id}, token=self.good_token(viewer))
                    self.judge_read(it, person, {200})

    def judge_read(self, it: Answered | None, person: Person | None, ok: set[int]) -> bool:
        """Judge a read, which may go on for a few seconds after somebody was removed."""
        return self.judge(it, self.may_see(it, person, GRACE), ok, is_there=person is not None)

    def anybody(self) -> Person:
        """Return somebody, often one who was a guardian until a moment ago, seldom one who was erased."""
        parted = [link.guardian for link in self.neighbours.links if link.ends()]
        if parted and self.chance.random() < 0.12:
            return self.chance.choice(parted)
        person = self.chance.choice(self.neighbours.people)
        if person.erased and self.chance.random() < 0.8:
            person = self.chance.choice(self.neighbours.people)
        return person

    def somebody(self, viewer: Person) -> Person | None:
        """Return about whom somebody asks: themself or their child, a relative of the past, a stranger, nobody."""
        kind = self.chance.random()
        links = self.neighbours.links_of(viewer)
        if viewer.is_quiet and links:
            kind = 0.6
        if kind < 0.5:
            children = [link.student for link in self.neighbours.current_links(viewer) if link.guardian is viewer]
            return self.chance.choice(children or [viewer]) if kind < 0.4 else viewer
        if kind < 0.7 and links:
            link = self.chance.choice([link for link in links if link.ends()] or links)
            person = link.student if link.guardian is viewer else link.guardian
            return person if person.id else viewer
        return self.chance.choice(self.neighbours.people) if kind < 0.9 else None

    def good_token(self, viewer: Person) -> Token:
        """Return a token that nobody has ended, if there is one."""
        return self.chance.choice(viewer.tokens or [Token("", NEVER)])

    def id_of(self, person: Person | None) -> str:
        return person.id if person else self.missing()

    def position(self) -> int:
        return self.chance.choice(self.positions)

    def tag(self) -> str:
        return self.chance.choice(self.neighbours.people).tag

    def know_link(self, link: Link, number: str) -> None:
        link.number = number
        self.neighbours.things[number] = Thing(link.student, link.guardian)

    def know_consent(self, number: str, about: Person, by: Person | None = None) -> None:
        if number not in self.neighbours.things:
            self.neighbours.things[number] = Thing(about, by)
            self.neighbours.consents.append((number, about))
