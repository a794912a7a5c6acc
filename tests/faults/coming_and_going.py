"""Coming and going: people register and sign in, renew and end their sessions, and try it as somebody else."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

from tests.api.people import PASSWORD
from tests.faults.looking import Looking
from tests.faults.neighbours import FORGETTING, Deed, Person, Token

TERMS: dict[str, object] = {"policy_version": "2026-1", "scopes": ["learning"], "country": "IT"}


class ComingAndGoing(Looking):
    """Everybody's accounts; each takes the one who tries."""

    async def register_user(self, viewer: Person) -> None:
        """Let a parent register a child, or somebody register alone; students may register nobody."""
        if viewer.role == "parent" and self.chance.random() < 0.5:
            await self.register("student", viewer)
        elif self.chance.random() < 0.8:
            await self.register(self.chance.choice(["parent", "student"]))
        else:
            person = self.neighbours.expect("student" if viewer.role == "student" else "parent")
            body, token = self.registration(person), self.good_token(viewer)
            if token.text:
                self.judge(
                    await self.ask("POST /users", viewer, body=body, key=self.new_key(), token=token), False, set()
                )

    async def login(self, viewer: Person) -> None:
        """Sign in, or try it as somebody else."""
        if self.chance.random() < 0.5:
            await self.sign_in(viewer)
            return
        body = {"email": viewer.email, "password": "as wrong as can be"}
        it = await self.ask("POST /auth/login", None, body=body)
        if it and it.status != 401:
            self.complain(it, "came in with a wrong password")

    async def refresh_session(self, viewer: Person) -> None:
        """Renew a session, perhaps twice as if the answer were lost, perhaps with nobody's token."""
        fake = await self.ask("POST /auth/refresh", None, body={"refresh_token": self.new_key()})
        if fake and fake.status != 401:
            self.complain(fake, "renewed nobody's session")
        async with self.unchanged(viewer):
            token = await self._sign_in(viewer)
            for _ in range(self.chance.randrange(1, 3)):
                if token:
                    body = {"refresh_token": token[1]}
                    it = await self.ask("POST /auth/refresh", None, body=body, shown_to=viewer)
                    if self.judge(it, None if viewer.erased else True, {200, 401} if viewer.erased else {200}) and it:
                        viewer.tokens.append(Token(it.json["access_token"]))

    async def logout(self, viewer: Person) -> None:
        """End one session, or all of them and begin a new one."""
        async with self.unchanged(viewer):
            if not (session := await self._sign_in(viewer)):
                return
            token, everywhere = session[0], self.chance.random() < 0.3
            ending = [*viewer.tokens] if everywhere else [token]
            ended = Deed(time.monotonic())
            for one in ending:
                one.ended = ended
            viewer.tokens = [one for one in viewer.tokens if one not in ending]
            viewer.former_tokens += ending
            it = await self.ask("POST /auth/logout", viewer, token=token, body={"all_devices": everywhere})
            if it and it.status == 204:
                ended.done = it.answered
            if not viewer.tokens:
                await self._sign_in(viewer)

    async def register(self, role: str, parent: Person | None = None) -> Person | None:
        """Let somebody register alone, or a parent register a child, and sign in."""
        person = self.neighbours.expect(role)
        body, token = self.registration(person), self.good_token(parent) if parent else None
        if token and not token.text:
            return None
        if parent and self.chance.random() < 0.8:
            body["consent"] = TERMS
        async with self.unchanged(person, *([parent] if parent else [])):
            link = self.neighbours.link(parent, person, Deed(time.monotonic())) if parent else None
            it = await self.ask(
                "POST /users",
                parent,
                body=body,
                key=self.new_key(),
                about=person,
                shown_to=parent or person,
                token=token,
            )
            if it and it.status == 201:
                self.neighbours.welcome(person, it.json["id"])
                if link:
                    link.begun.done = it.answered
            elif link:
                self.neighbours.forget(link)
            if not it or it.status != 201:
                if it and not (parent and parent.erased):
                    self.complain(it, "was not registered")
                return None
            await self._sign_in(person)
        return person

    def registration(self, person: Person) -> dict[str, Any]:
        return {"email": person.email, "password": PASSWORD, "role": person.role, "profile": person.profile}

    async def sign_in(self, person: Person) -> None:
        async with self.unchanged(person):
            await self._sign_in(person)

    async def _sign_in(self, person: Person) -> tuple[Token, str] | None:
        body = {"email": person.email, "password": PASSWORD}
        it = await self.ask("POST /auth/login", None, body=body, shown_to=person)
        if not self.judge(it, None if person.erased else True, {200, 401} if person.erased else {200}) or not it:
            return None
        if person.erased and person.erased.is_done(it.sent - FORGETTING):
            self.complain(it, "came in although forgotten")
        token = Token(it.json["access_token"])
        person.tokens.append(token)
        return token, it.json["refresh_token"]

    def unchanged(self, *people: Person) -> "Locked":
        """Let nobody else change the family of these people meanwhile."""
        return Locked(self.neighbours.locks(*people))


class Locked:
    """Locks that are held together."""

    def __init__(self, locks: list[asyncio.Lock]) -> None:
        self._locks = locks
        self._held = AsyncExitStack()

    async def __aenter__(self) -> None:
        for lock in self._locks:
            await self._held.enter_async_context(lock)

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()
