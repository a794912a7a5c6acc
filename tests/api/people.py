"""People of the API's tests: who they are, how they show it, and what strange things they may write."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

PASSWORD = "correct horse battery staple"
NAUGHTY: list[str] = json.loads((Path(__file__).parent / "naughty.json").read_text(encoding="utf-8"))
"""Texts that break careless programs."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with an account, signed in."""

    id: UUID
    email: str
    token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Family:
    """A parent, their child, another family's child, and a parent of nobody."""

    parent: Person
    child: Person
    other: Person
    stranger: Person

    @property
    def all(self) -> tuple[Person, ...]:
        return self.parent, self.child, self.other, self.stranger


Register = Callable[..., Awaitable[Person]]
"""Registers a person of a role, by themself or by a parent who consents (to `scopes`), and signs them in."""


def as_bytes(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers that may hold more than ASCII, as a client's bytes."""
    return [(name.encode(), value.encode()) for name, value in headers.items()]
