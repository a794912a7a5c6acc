"""Ports: what handlers need from the outside, as Protocols; the real ones live in `eventstore` and `adapters`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from domain.aggregate import Aggregate
from domain.cause import Cause, Receipt
from domain.events import Event
from domain.profile import Profile
from domain.question import Question
from domain.selection import Shelf

A = TypeVar("A", bound=Aggregate)


class History(Protocol):
    """The log as one decision sees it: what it reads becomes the condition of what it records."""

    async def load(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """Return a private copy to change and `save`, or None where the stream has not begun or is over for good."""

    async def rely_on(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """Return the aggregate to read only; if its stream moves before the append, the command is decided again."""

    def save(self, *aggregates: Aggregate, under: UUID | None = None) -> None:
        """Record the pending events of these aggregates, exactly behind what was loaded, under this consent."""

    def record(self, event: Event, *, under: UUID | None = None) -> None:
        """Record a fact at the end of its stream, or exactly where its version says; under this consent, if any."""


Decide = Callable[[History], Awaitable[None]]


class Log(Protocol):
    """The event log, seen by a command."""

    async def execute(self, cause: Cause, decide: Decide) -> Receipt:
        """Decide and append as one atomic step, and once per command id.

        A stale decision is taken again on fresh state, three times at most (then `TooContended`); a refusal decided
        on cached state is decided again after reading the tail. A command id that was accepted before appends nothing
        and answers with its first receipt; with another body it is refused (`IdempotencyKeyReused`). `LogUnavailable`
        leaves the outcome unknown: repeat with the same command id.
        """

    async def read_receipt(self, cause: Cause) -> Receipt | None:
        """Return the receipt of a command accepted before, else None; with another body: `IdempotencyKeyReused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at the identity provider."""

    user_id: UUID
    email: str


class Accounts(Protocol):
    """Accounts at the identity provider, made and undone by registration."""

    async def create(self, account: Account, password: str) -> None:
        """Make an account that can sign in at once.

        Raises `EmailTaken`, `InvalidValue(field="password", reason=…)` for a password the provider refuses,
        and `IdentityUnavailable`. An account with this very id and e-mail is no error: a repeat finds it made.
        """

    async def delete(self, user_id: UUID) -> None:
        """Remove an account; one that is not there is no error. Raises `IdentityUnavailable`."""


class Registrations(Protocol):
    """The e-mails being registered right now, so that a crash between account and log blocks nobody for ever."""

    async def claim(self, email: str, command_id: UUID, user_id: UUID) -> UUID:
        """Reserve an e-mail for one command and return the user id to use (a repeat gets the first one).

        Raises `RegistrationInProgress` while another command holds it; an abandoned claim is taken over after a minute
        and its half-made account removed.
        """

    async def settle(self, command_id: UUID, user_id: UUID) -> None:
        """Forget this command's claim: the registration is complete or undone."""


class PersonKeys(Protocol):
    """The keys that seal each person's fields."""

    async def create(self, person_id: UUID) -> None:
        """Make this person's key; a second call changes nothing."""

    async def destroy(self, person_id: UUID) -> None:
        """Destroy this person's key for good; a second call changes nothing."""


class KnownProfile(Protocol):
    """A profile as people are shown it."""

    @property
    def profile(self) -> Profile:
        """What it says."""

    @property
    def tag(self) -> str:
        """What stands for this state of it in the conditions of those who saw it."""


class Profiles(Protocol):
    """People's profiles, opened: the log's aggregates know the clear fields only."""

    async def at(self, user_id: UUID, version: int) -> KnownProfile:
        """Return the profile up to a version of the user's stream; raises `UserUnknown` where it can't be opened."""


class PairingCodes(Protocol):
    """Pairing codes: made from a command's id, so that a repeat shows the same one, and known to the log by a hash."""

    def make(self, command_id: UUID) -> str:
        """Return the code of this command."""

    def hash(self, code: str) -> str:
        """Return the keyed hash by which the log knows a code, however it is typed."""

    async def student_of(self, code: str) -> UUID | None:
        """Return for whom a code was issued, be it used or too old by now; None for one that never was."""


class Erasure(NamedTuple):
    """Someone who was erased in the log: where, and on which date (UTC)."""

    person_id: UUID
    position: int
    on: date


class Erasures(Protocol):
    """What the log knows of erasures, and for whom everything outside of it is done."""

    async def nobody_yet(self) -> bool:
        """Tell whether nobody has ever registered, so that nobody can have been erased."""

    async def unfinished(self, after: int, limit: int) -> list[Erasure]:
        """Return who was erased in the log behind a position but not everywhere, the first of them first."""

    async def finish(self, erasure: Erasure) -> None:
        """Note that nothing is left to do."""

    async def forgotten(self, people: Collection[UUID]) -> list[UUID]:
        """Return those whom the log knows and does not know to be erased, as after an older backup was restored."""


class ErasureLedger(Protocol):
    """Who was erased and when, kept away from the database."""

    async def begin(self) -> None:
        """Make the ledger of a new system, unless it is there; raises `OSError`."""

    async def add(self, person_id: UUID, on: date) -> None:
        """Keep it for good, if it is not kept; raises `OSError`."""

    async def read(self) -> Mapping[UUID, date]:
        """Return everyone who was erased; raises `OSError`."""


class SignedInDevices(Protocol):
    """Where people are signed in."""

    async def revoke_all(self, user_id: UUID, because: str) -> object:
        """End every session of a user."""


class PersonalValues(Protocol):
    """Values in memory that name a person."""

    async def forget_person(self, person_id: UUID, position: int) -> None:
        """Drop them, and refuse for a while to keep any made from before this position."""


class BankSnapshot(Protocol):
    """The published questions as of one position of the log."""

    @property
    def position(self) -> int:
        """The position that names it."""

    def shelf(self, grade: int, subject: str, topic: str) -> Shelf:
        """Return the questions of a topic; an empty shelf where there are none."""


class QuestionBank(Protocol):
    """The question bank in memory."""

    def snapshot(self) -> BankSnapshot:
        """Return the latest snapshot; raises `Unavailable` until there is one."""

    async def contents(self, versions: Sequence[tuple[UUID, int]]) -> list[Question]:
        """Return what these versions say, in their order."""
