"""Prying: every operation of the API, tried by anybody on anybody, by people who use whatever fits."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.faults.asking import Answered
from tests.faults.coming_and_going import TERMS, ComingAndGoing
from tests.faults.looking import LIVE
from tests.faults.neighbours import GRACE, Code, Deed, Link, Person, Thing

TOPIC = "of the village"
"""Of the questions that everybody may be asked."""


class Prying(ComingAndGoing):
    """Everybody's commands; each takes the one who tries."""

    async def record_progress(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        about = person if person is viewer else viewer
        body = {
            "student_id": self.id_of(person),
            "subject": f"Mathematics {about.mark}",
            "topic": f"Topic {self.chance.randrange(5)} {about.mark}",
            "score": self.chance.randrange(101),
            "time_spent": self.chance.randrange(3600),
            "completed": True,
        }
        operation = "POST /progress"
        it = await self.ask(operation, viewer, body=body, key=self.key(operation, viewer), about=person)
        if person is viewer:
            may = viewer.role == "student" and not viewer.erased
            if it and it.status == 403 and may and "consent-required" not in it.json["type"]:
                self.complain(it, "may not practise")
            if self.judge(it, None, {201} if viewer.role == "student" else set()) and it:
                self.neighbours.things[it.json["id"]] = Thing(viewer)
        else:
            self.judge(it, False, set(), is_there=person is not None)

    async def start_assessment(self, viewer: Person) -> None:
        person, operation = self.somebody(viewer), "POST /assessments/start"
        wish = {"student_id": self.id_of(person), "subject": "math", "topic": TOPIC, "count": 2}
        it = await self.ask(operation, viewer, body=wish, key=self.key(operation, viewer), about=person)
        if person is not viewer:
            self.judge(it, False, set(), is_there=person is not None)
        elif self.judge(it, None, {201} if viewer.role == "student" else set()) and it:
            number, questions = it.json["assessment_id"], [one["id"] for one in it.json["questions"]]
            self.neighbours.things[number] = Thing(viewer)
            self.neighbours.assessments.append((number, viewer, questions))

    async def submit_assessment(self, viewer: Person) -> None:
        number, about, questions = self.assessment()
        person, operation = self.chance.choice([about, viewer]), "POST /assessments"
        answers = [{"id": one, "answer": f"{viewer.mark} {self.chance.randrange(9)}"} for one in questions]
        submission = {
            "student_id": self.id_of(person),
            "subject": "math",
            "topic": TOPIC,
            "questions": answers or [{"id": self.missing(), "answer": "1"}],
            "final": self.chance.random() < 0.8,
        }
        if self.chance.random() < 0.5:
            submission["assessment_id"] = number
        it = await self.ask(operation, viewer, body=submission, key=self.key(operation, viewer), about=person)
        if person is not viewer:
            self.judge(it, False, set(), is_there=person is not None)
        else:
            good = {201, 404, 409, 422} if viewer.role == "student" else set[int]()
            if self.judge(it, None, good) and about is not viewer:
                self.complain_of_foreign(it)

    def complain_of_foreign(self, it: Answered | None) -> None:
        """Note that somebody answered what was served to somebody else."""
        if it:
            self.complain(it, "answered another one's assessment")

    async def update_profile(self, viewer: Person) -> None:
        person = self.somebody(viewer)
        now = time.monotonic()
        may = person is not None and self.neighbours.may_follow(viewer, person, now, now)
        mark = person.mark if person and may else viewer.mark
        changes: dict[str, object] = {
            "name": f"Ada {self.chance.randrange(1000)} {mark}",
            "learning_preferences": [f"visual {mark}", f"{mark} {self.chance.randrange(10)}"],
            "timezone": self.chance.choice(["UTC", "Europe/Rome", "Asia/Tokyo"]),
        }
        named = self.chance.choice(list(changes))
        tag = self.tag() if self.chance.random() < 0.5 else ""
        headers = {"if-match": tag} if tag else {}
        is_own = bool(tag and person and tag == person.tag)
        operation = "PATCH /users/{id}"
        it = await self.ask(
            operation,
            viewer,
            path={"id": self.id_of(person)},
            headers=headers,
            body={"profile": {named: changes[named]}},
            key=self.key(operation, viewer),
            about=person,
        )
        ok = {200} if not tag else {200, 412} if is_own else {412}
        if self.judge(it, self.may_see(it, person), ok, is_there=person is not None) and it and person:
            person.tag = it.answer.headers["etag"]

    async def issue_pairing_code(self, viewer: Person) -> None:
        person, operation = self.somebody(viewer), "POST /users/{student_id}/pairing-codes"
        async with self.unchanged(*([person] if person else [])):
            guardians = self.neighbours.guardians(person) if person else []
            allowed = (
                person is not None
                and person.role == "student"
                and not (person.erased or viewer.erased)
                and (viewer in guardians or (viewer is person and not guardians))
            )
            it = await self.ask(
                operation,
                viewer,
                path={"student_id": self.id_of(person)},
                key=self.key(operation, viewer),
                about=person,
            )
            if self.judge(it, allowed, {201}, is_there=person is not None) and it and person:
                code = it.json["code"]
                self.neighbours.codes.append(Code(code, person, viewer))
                self.neighbours.things[code] = Thing(person, viewer)

    async def link_child(self, viewer: Person) -> None:
        codes = self.neighbours.codes
        is_void = self.chance.random() < 0.6
        wanted = [code for code in codes if code.is_void == is_void]
        code = self.chance.choice(wanted) if wanted and self.chance.random() < 0.8 else None
        operation = "POST /guardianships"
        async with self.unchanged(viewer, *([code.student] if code else [])):
            body = {"code": code.text if code else f"{'ABCD-' * 2}{self.chance.choice('EFGH') * 4}"}
            begun = Deed(time.monotonic())
            is_first = code is not None and not self.neighbours.guardians(code.student)
            allowed = (
                code is not None
                and not (code.is_void or viewer.erased or code.student.erased)
                and viewer.role == "parent"
                and viewer not in self.neighbours.guardians(code.student)
            )
            link = self.neighbours.link(viewer, code.student, begun) if code and allowed else None
            it = await self.ask(
                operation, viewer, body=body, key=self.key(operation, viewer), about=code.student if code else None
            )
            if link and code and it and self.judge(it, allowed, {201}):
                begun.done = it.answered
                self.know_link(link, it.json["id"])
                code.is_void = True
                if is_first:
                    self.void_codes(code.student)
            elif link:
                self.neighbours.forget(link)
            elif it and it.status not in {403, 422}:
                self.complain(it, "used a code that is none")

    async def unlink_child(self, viewer: Person) -> None:
        neighbours = self.neighbours
        own = [link for link in neighbours.links_of(viewer) if link.number]
        known = own if self.chance.random() < 0.4 else [link for link in neighbours.links if link.number]
        picked = self.chance.choice(known) if known and self.chance.random() < 0.85 else None
        operation = "DELETE /guardianships/{id}"
        async with self.unchanged(viewer, *([picked.guardian, picked.student] if picked else [])):
            current = picked and next(
                (link for link in neighbours.current_links(picked.student) if link.number == picked.number), None
            )
            allowed = current is not None and viewer in neighbours.guardians(current.student) and not viewer.erased
            if allowed and self.chance.random() < 0.2:
                return
            if current and allowed:
                current.ended = Deed(time.monotonic())
            it = await self.ask(
                operation,
                viewer,
                path={"id": picked.number if picked else self.missing()},
                key=self.key(operation, viewer),
                about=picked.student if picked else None,
            )
            is_done = self.judge(it, allowed, {204}, is_there=picked is not None)
            if current and current.ended and it and is_done:
                current.ended.done = it.answered
                self.void_codes(current.student)
            elif current and allowed:
                current.ended = None

    async def grant_consent(self, viewer: Person) -> None:
        person, operation = self.somebody(viewer), "POST /users/{student_id}/consents"
        scopes = self.chance.choice([["learning"], ["learning", "research"], ["personalisation"]])
        it = await self.ask(
            operation,
            viewer,
            path={"student_id": self.id_of(person)},
            body=TERMS | {"scopes": scopes},
            key=self.key(operation, viewer),
            about=person,
        )
        if self.judge(it, self.guards(it, person), {201}, is_there=person is not None) and it and person:
            self.know_consent(it.json["id"], person, viewer)

    async def withdraw_consent(self, viewer: Person) -> None:
        person, operation = self.somebody(viewer), "DELETE /users/{student_id}/consents/{id}"
        known = self.neighbours.consents
        own = [one for one in known if one[1] is person]
        number, about = self.chance.choice(own if own and self.chance.random() < 0.5 else known or [("", None)])
        if not number or self.chance.random() < 0.1:
            number, about = self.missing(), None
        it = await self.ask(
            operation,
            viewer,
            path={"student_id": self.id_of(person), "id": number},
            key=self.key(operation, viewer),
            about=person,
        )
        allowed = self.guards(it, person) if about is person else False
        self.judge(it, allowed, {204}, is_there=person is not None and about is not None)

    async def erase_user(self, viewer: Person) -> None:
        person, operation = self.somebody(viewer), "DELETE /users/{id}"
        relatives = [person, *self.relatives(person)] if person else []
        async with self.unchanged(viewer, *relatives):
            guardians = self.neighbours.guardians(person) if person else []
            allowed = (
                person is not None
                and not (person.erased or viewer.erased)
                and (viewer in guardians or (viewer is person and not guardians))
            )
            if person and not {*self.relatives(person)} <= {*relatives}:
                return
            if allowed and self.chance.random() < 0.5:
                return
            if person and allowed:
                person.erased = Deed(time.monotonic())
            it = await self.ask(
                operation, viewer, path={"id": self.id_of(person)}, key=self.key(operation, viewer), about=person
            )
            is_done = self.judge(it, allowed, {204}, is_there=person is not None)
            if person and person.erased and it and is_done:
                person.erased.done = it.answered
                for relative in relatives:
                    self.void_codes(relative)
            elif person and allowed:
                person.erased = None

    async def repeat(self, viewer: Person) -> None:
        """Send an accepted command again, as the one who sent it or as somebody whom it does not concern."""
        if not self.accepted:
            return
        command = self.chance.choice(self.accepted)
        sender = command.sender if self.chance.random() < 0.4 else viewer
        is_own, about = sender is command.sender, command.about
        async with self.unchanged(*([about] if about else [])):
            now = time.monotonic()
            if not is_own and (about is None or about.erased or self.neighbours.may_follow(sender, about, now, now)):
                return
            if not (token := self.good_token(sender)).text:
                return
            it = await self.ask(
                command.operation,
                sender,
                address=command.address,
                body=command.body,
                key=command.key,
                about=about,
                token=token,
            )
        if it and not is_own and it.status not in {403, 409, 422}:
            self.complain(it, "had somebody else's command repeated")

    async def part(self) -> None:
        """End one guardianship after the other, and knock at every API when none may remember it any more, for ever."""
        while True:
            links = [link for link in self.neighbours.links if link.begun.done and not link.ends()]
            quiet = [link for link in links if link.guardian.is_quiet and link.guardian.tokens]
            if quiet and (link := await self._parted(self.chance.choice(quiet))):
                await asyncio.sleep(GRACE + 0.1)
                await self._knock(link)
            await asyncio.sleep(0.1)

    async def _parted(self, link: Link) -> Link | None:
        """Let a guardian who sees a child at every API leave; return the guardianship if it has ended."""
        guardian = link.guardian
        async with self.unchanged(guardian, link.student):
            await self.list_guardianships(guardian)
            if link.ends() or not link.number or not guardian.tokens:
                return None
            await self._knock(link)
            link.ended = Deed(time.monotonic())
            it = await self.ask(
                "DELETE /guardianships/{id}",
                guardian,
                path={"id": link.number},
                key=self.new_key(),
                about=link.student,
                token=self.good_token(guardian),
            )
            if not self.judge(it, allowed=True, ok={204}) or not it:
                link.ended = None
                return None
            link.ended.done = it.answered
            self.void_codes(link.student)
        return link

    async def _knock(self, link: Link) -> None:
        for api in range(len(self.village.apis)):
            it = await self.ask(
                "GET /users/{id}",
                link.guardian,
                path={"id": link.student.id},
                token=self.good_token(link.guardian),
                api=api,
            )
            self.judge_read(it, link.student, {200})

    def relatives(self, person: Person) -> list[Person]:
        links = self.neighbours.current_links(person)
        return [other for link in links for other in (link.guardian, link.student) if other is not person]

    def void_codes(self, student: Person) -> None:
        for code in self.neighbours.codes:
            code.is_void = code.is_void or code.student is student


Try = Callable[[Prying, Person], Awaitable[None]]
OPERATIONS: dict[str, tuple[int, Try]] = {
    "GET /progress/{student_id}": (18, Prying.get_progress_summary),
    "GET /users/{id}": (16, Prying.get_user_profile),
    "GET /users/{id}/export": (5, Prying.export_person),
    "GET /users/{id}/access-log": (8, Prying.list_accesses),
    "GET /users/{student_id}/consents": (7, Prying.list_consents),
    LIVE: (5, Prying.follow_student),
    "POST /progress": (9, Prying.record_progress),
    "POST /assessments/start": (4, Prying.start_assessment),
    "POST /assessments": (4, Prying.submit_assessment),
    "GET /assessments": (4, Prying.list_assessments),
    "GET /assessments/{id}": (6, Prying.get_assessment),
    "PATCH /users/{id}": (7, Prying.update_profile),
    "GET /guardianships": (5, Prying.list_guardianships),
    "POST /users/{student_id}/pairing-codes": (5, Prying.issue_pairing_code),
    "POST /guardianships": (5, Prying.link_child),
    "DELETE /guardianships/{id}": (5, Prying.unlink_child),
    "POST /users/{student_id}/consents": (3, Prying.grant_consent),
    "DELETE /users/{student_id}/consents/{id}": (3, Prying.withdraw_consent),
    "DELETE /users/{id}": (2, Prying.erase_user),
    "POST /users": (1, Prying.register_user),
    "POST /auth/login": (2, Prying.login),
    "POST /auth/refresh": (1, Prying.refresh_session),
    "POST /auth/logout": (1, Prying.logout),
    "GET /health/live": (1, Prying.ask_for_health),
    "GET /health/ready": (1, Prying.ask_for_health),
}
"""By operation: how often it is tried, out of about a hundred times, and how."""
AGAIN: tuple[int, Try] = (5, Prying.repeat)
QUIETLY: list[Try] = [Prying.get_progress_summary, Prying.get_user_profile]
"""What is answered without asking the log anew, so that nothing corrects what an API remembers of such a person."""
