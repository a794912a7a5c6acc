"""Asking: requests of everybody with tokens of every kind, to whichever API, and every answer looked through."""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Any, Self
from uuid import UUID

import httpx

from tests.faults.eyes import Eyes, text_of
from tests.faults.neighbours import FORGETTING, GRACE, Deed, Neighbours, Person, Token
from tests.faults.village import Village
from tests.faults.wire import Wire

NEVER = Deed(0.0, 0.0)
"""When a token ended that never was any good."""
PATIENCE = 30.0
"""Seconds for which a command is repeated until it is answered."""


@dataclass(frozen=True)
class Answered:
    """An answer, to whom, and between which moments."""

    operation: str
    viewer: Person | None
    answer: httpx.Response
    sent: float
    answered: float

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = self.answer.json()
        return content


@dataclass(frozen=True)
class Command:
    """A command that was accepted, so that it can be sent again."""

    operation: str
    sender: Person
    about: Person | None
    address: str
    body: Any
    key: str


class Asking:
    """Whoever asks whatever; what is wrong with an answer is noted, in words, without stopping."""

    def __init__(self, village: Village, chance: Random) -> None:
        self.village = village
        self.chance = chance
        self.neighbours = Neighbours(chance)
        self.eyes = Eyes(self.neighbours)
        self.complaints: list[str] = []
        self.asked: Counter[str] = Counter()
        self.events_known = 0
        self.statuses: Counter[int] = Counter()
        self.refusals: dict[str, dict[str, set[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(set))
        self.accepted: deque[Command] = deque(maxlen=500)
        self.positions: deque[int] = deque([1], maxlen=500)
        self._keys: set[tuple[str, Person | None, str]] = set()
        self._machines = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._wires = [Wire(api.settings.port) for api in self.village.apis]
        for wire in self._wires:
            self._machines.push_async_callback(wire.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._machines.aclose()

    async def ask(
        self,
        operation: str,
        viewer: Person | None,
        *,
        path: Mapping[str, str] | None = None,
        address: str = "",
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,  # noqa: ANN401  whatever JSON takes
        key: str = "",
        about: Person | None = None,
        shown_to: Person | None = None,
        token: Token | None = None,
        api: int | None = None,
    ) -> Answered | None:
        """Ask, and return an answer that was given to this viewer's good token, or to nobody's.

        None where nobody answered or the token was refused, which is judged here. A command has a key, and is repeated
        until it is answered.
        """
        method, template = operation.split()
        address = address or template
        for name, value in (path or {}).items():
            address = address.replace(f"{{{name}}}", value)
        if viewer:
            token = token or self._any_token(viewer)
        shown = dict(headers or {}) | ({"authorization": f"Bearer {token.text}"} if token and token.text else {})
        if key:
            shown["idempotency-key"] = key
        request: dict[str, Any] = {"headers": shown, "query": query, "body": body}
        sent = time.monotonic()
        answer = await self._send(method, address, request, repeat=bool(key), api=api)
        if answer is None:
            return None
        it = Answered(operation, viewer, answer, sent, time.monotonic())
        self.asked[operation] += 1
        self.statuses[it.status] += 1
        is_refused = token is not None and self._is_refused(it, token)
        self.eyes.look(operation, None if is_refused else shown_to or viewer, sent, it.answered, text_of(answer))
        if it.status >= 500 and it.status != 503:
            self.complain(it, "broke")
        if is_refused or it.status >= 500:
            return None
        if answer.is_success and "event-position" in answer.headers:
            self.positions.append(int(answer.headers["event-position"]))
        if answer.is_success and key and viewer:
            self.accepted.append(Command(operation, viewer, about, address, body, key))
        return it

    def judge(
        self,
        it: Answered | None,
        allowed: bool | None,  # noqa: FBT001  three answers, no switch
        ok: set[int],
        *,
        is_there: bool = True,
    ) -> bool:
        """Hold an answer against what the asker may: True, False, or None where it just changes.

        Return if it was one of the good ones. What nobody may is refused in the same words, whether `is_there` or not.
        """
        if it is None:
            return False
        if allowed is False:
            if it.status != 403:
                self.complain(it, "was let in")
            else:
                said = tuple(str(it.json[name]) for name in ("type", "title", "detail"))
                self.refusals[it.operation]["foreign" if is_there else "missing"].add(said)
        elif it.status not in ok and (allowed or it.status not in {403, 404}):
            self.complain(it, "was sent away" if it.status in {401, 403, 404} else "was answered otherwise")
        return it.status in ok and it.status < 300

    def complain(self, it: Answered, words: str) -> None:
        """Note that an answer is not as it should be."""
        role = it.viewer.role if it.viewer else "nobody"
        problem = it.json.get("type") if it.answer.headers.get("content-type", "").endswith("json") else ""
        self.complaints.append(f"{it.operation} by {role} {words}: {it.status} {problem}")

    def may_see(self, it: Answered | None, person: Person | None, grace: float = 0.0) -> bool | None:
        """Tell whether the asker may see what there is of a person, None where it just changes."""
        if it is None or it.viewer is None or person is None:
            return False
        if self.neighbours.follows(it.viewer, person, it.sent, it.answered):
            return True
        return None if self.neighbours.may_follow(it.viewer, person, it.sent, it.answered, grace) else False

    def guards(self, it: Answered | None, person: Person | None) -> bool | None:
        """Tell whether the asker is a guardian of a person, None where it just changes."""
        return False if it is None or it.viewer is person else self.may_see(it, person)

    def summary(self) -> str:
        """Return in a few lines what happened."""
        erased = [person for person in self.neighbours.people if person.erased]
        parted = [link for link in self.neighbours.links if link.ended]
        return (
            f"{self.asked.total():,} answers to {len(self.neighbours.people)} people, {len(erased)} erased meanwhile; "
            f"{len(self.neighbours.links)} guardianships, {len(parted)} ended meanwhile\n"
            f"{len(self.eyes.foreign)} foreign values, {len(self.complaints)} other complaints "
            f"({self.events_known:,} ids of events looked up in the log)\n"
            f"{sorted(self.statuses.items())}\n{sorted(self.asked.items())}\n"
            f"{self.eyes.foreign[:10]}\n{self.complaints[:10]}"
        )

    def missing(self) -> str:
        """Return an id of nobody and nothing."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def new_key(self) -> str:
        """Return an Idempotency-Key that nobody has used."""
        return f"{self.chance.getrandbits(64):x}"

    def key(self, operation: str, viewer: Person) -> str:
        """Return a key: one's own, or now and then one that somebody else has used for the same."""
        others = [one.key for one in self.accepted if one.operation == operation and one.sender is not viewer]
        if others and self.chance.random() < 0.3:
            key = self.chance.choice(others)
            if (operation, viewer, key) not in self._keys:
                self._keys.add((operation, viewer, key))
                return key
        key = self.new_key()
        self._keys.add((operation, viewer, key))
        return key

    def _any_token(self, viewer: Person) -> Token:
        """Return a good token, or now and then none, or one that has expired or was revoked."""
        kind = self.chance.random()
        if kind < 0.01:
            return Token("", NEVER)
        if kind < 0.02:
            return Token(self.village.expired(viewer.tokens[0].text), NEVER) if viewer.tokens else Token("", NEVER)
        if viewer.former_tokens and (kind < 0.05 or not viewer.tokens):
            return self.chance.choice(viewer.former_tokens)
        return self.chance.choice(viewer.tokens) if viewer.tokens else Token("", NEVER)

    def _is_refused(self, it: Answered, token: Token) -> bool:
        ends = [(deed, grace) for deed, grace in self._ends(it, token) if deed]
        if any(deed.is_done(it.sent - grace) for deed, grace in ends) and it.status not in {401, 503}:
            self.complain(it, "was let in with a token that is none")
        if not ends and it.status == 401:
            self.complain(it, "was refused a good token")
        return it.status == 401

    def _ends(self, it: Answered, token: Token) -> list[tuple[Deed | None, float]]:
        return [(token.ended, GRACE), (it.viewer.erased if it.viewer else None, FORGETTING)]

    async def _send(
        self, method: str, address: str, request: dict[str, Any], *, repeat: bool, api: int | None
    ) -> httpx.Response | None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                wire = self.chance.choice(self._wires) if api is None else self._wires[api]
                answer = await wire.ask(method, address, **request)
            except (OSError, TimeoutError):
                answer = None
            if not repeat or (answer and answer.status_code != 503):
                return answer
            assert time.monotonic() < until, f"{method} {address} is not answered"
            await asyncio.sleep(0.05)
