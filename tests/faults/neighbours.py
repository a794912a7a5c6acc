"""Neighbours: who is whose guardian, as far as the answers to everyone's requests tell; shares no code with the system.

A request is at work from the moment it is sent until its answer is there: what was done before is certain, what is
being done meanwhile may show or not.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

MARK = re.compile(r"zq[0-9a-f]{20}")
"""Every person's own word, which stands in their name, e-mail address, preferences, subjects and topics."""
GRACE = 5.0
"""Seconds in which somebody who was a guardian until then may still be shown what they knew."""
FORGETTING = 20.0
"""Seconds after which somebody who was erased is signed out everywhere."""
QUIET = 0.3
"""Part of the parents who only ever read."""


@dataclass(eq=False)
class Deed:
    """Something that was asked for, and has been done from some moment on."""

    sent: float
    done: float | None = None

    def is_done(self, by: float) -> bool:
        """Tell whether it certainly was done by then."""
        return self.done is not None and self.done <= by


@dataclass(eq=False)
class Token:
    """An access token; one that never was any good has ended before all time."""

    text: str
    ended: Deed | None = None


@dataclass(eq=False)
class Person:
    """Someone who has, had or is about to have an account."""

    mark: str
    role: str
    id: str = ""
    tokens: list[Token] = field(default_factory=list)
    former_tokens: list[Token] = field(default_factory=list)
    is_quiet: bool = False
    """Asks for nothing but summaries and profiles of their own children, those included that they have lost."""
    tag: str = ""
    """ETag of the profile when it was last seen."""
    erased: Deed | None = None

    @property
    def email(self) -> str:
        return f"{self.mark}@family.example"

    @property
    def profile(self) -> dict[str, object]:
        return {
            "name": f"Ada {self.mark}",
            "grade_level": 4 if self.role == "student" else None,
            "learning_preferences": [f"visual {self.mark}"],
        }


@dataclass(eq=False)
class Link:
    """Somebody is the guardian of a student, from one deed to another."""

    guardian: Person
    student: Person
    begun: Deed
    number: str = ""
    ended: Deed | None = None

    def ends(self) -> list[Deed]:
        """Return what ends it."""
        return [deed for deed in (self.ended, self.guardian.erased, self.student.erased) if deed]

    def holds(self, since: float, until: float) -> bool:
        """Tell whether it certainly was in force all the time."""
        return self.begun.is_done(since) and not [deed for deed in self.ends() if deed.sent <= until]

    def may_hold(self, since: float, until: float) -> bool:
        """Tell whether it may have been in force at some moment between the two."""
        return self.begun.sent <= until and not [deed for deed in self.ends() if deed.is_done(since)]


@dataclass(frozen=True)
class Thing:
    """Something with an id or a code, about a person and perhaps made by one."""

    about: Person
    by: Person | None = None


@dataclass(eq=False)
class Code:
    """A pairing code."""

    text: str
    student: Person
    by: Person
    is_void: bool = False


class Neighbours:
    """Everybody, and what is known of them."""

    def __init__(self, chance: Random) -> None:
        self.people: list[Person] = []
        self.links: list[Link] = []
        self.codes: list[Code] = []
        self.consents: list[tuple[str, Person]] = []
        self.assessments: list[tuple[str, Person, list[str]]] = []
        """Id, for whom, and the questions."""
        self.by_mark: dict[str, Person] = {}
        self.by_id: dict[str, Person] = {}
        self.things: dict[str, Thing] = {}
        self._chance = chance
        self._of_guardian: dict[Person, list[Link]] = defaultdict(list)
        self._of_student: dict[Person, list[Link]] = defaultdict(list)
        self._locks: dict[Person, asyncio.Lock] = defaultdict(asyncio.Lock)

    def expect(self, role: str) -> Person:
        """Return somebody new, of whom nothing is sent yet."""
        is_quiet = role == "parent" and self._chance.random() < QUIET
        person = Person(f"zq{self._chance.getrandbits(80):020x}", role, is_quiet=is_quiet)
        self.by_mark[person.mark] = person
        return person

    def welcome(self, person: Person, number: str) -> None:
        """Note that somebody has an account now."""
        person.id = number
        self.by_id[number] = person
        self.people.append(person)

    def link(self, guardian: Person, student: Person, begun: Deed) -> Link:
        """Note that somebody is about to be a guardian."""
        link = Link(guardian, student, begun)
        self.links.append(link)
        self._of_guardian[guardian].append(link)
        self._of_student[student].append(link)
        return link

    def forget(self, link: Link) -> None:
        """Note that nothing has come of it."""
        self.links.remove(link)
        self._of_guardian[link.guardian].remove(link)
        self._of_student[link.student].remove(link)

    def links_of(self, person: Person) -> list[Link]:
        """Return all that somebody takes or took part in, on either side."""
        return [*self._of_guardian[person], *self._of_student[person]]

    def current_links(self, person: Person) -> list[Link]:
        """Return those that nobody has asked to end."""
        return [link for link in self.links_of(person) if link.begun.done and not link.ends()]

    def guardians(self, student: Person) -> list[Person]:
        """Return who are the guardians, as far as is known."""
        return [link.guardian for link in self.current_links(student) if link.student is student]

    def locks(self, *people: Person) -> list[asyncio.Lock]:
        """Return the locks under which the family of these people does not change, in the order to take them."""
        return [self._locks[person] for person in sorted(set(people), key=lambda person: person.mark)]

    def follows(self, viewer: Person, person: Person, since: float, until: float) -> bool:
        """Tell whether somebody certainly may see what there is of a person."""
        if viewer.erased and viewer.erased.sent <= until:
            return False
        return viewer is person or any(link.holds(since, until) for link in self._between(viewer, person))

    def may_follow(self, viewer: Person, person: Person, since: float, until: float, grace: float = 0.0) -> bool:
        """Tell whether they possibly may."""
        if viewer is person:
            return not viewer.erased or not viewer.erased.is_done(since - FORGETTING)
        return any(link.may_hold(since - grace, until) for link in self._between(viewer, person))

    def may_know(self, viewer: Person, person: Person, since: float, until: float) -> bool:
        """Tell whether somebody may see a person's id: family, and whoever was guardian of the same child as they."""
        if viewer is person or self._between(viewer, person) or self._between(person, viewer):
            return True
        for theirs in self._of_guardian[person]:
            if self.may_follow(viewer, theirs.student, since, until, GRACE):
                return True
            if any(own.may_hold(theirs.begun.sent, until) for own in self._between(viewer, theirs.student)):
                return True
        return False

    def _between(self, guardian: Person, student: Person) -> Iterator[Link] | list[Link]:
        return [link for link in self._of_guardian[guardian] if link.student is student]
