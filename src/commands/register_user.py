"""RegisterUser: a parent or student gets an account; a signed-in parent's child is linked at once."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import Accounts, Log, PersonKeys, Registrations
from domain.cause import Cause
from domain.events import Role
from domain.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """Who registers. `user_id` is drawn by the caller; `cause.actor` is that id again for a self-registration."""

    cause: Cause
    user_id: UUID
    email: str
    password: str
    role: Role
    profile: Profile
    parent_id: UUID | None = None
    """The signed-in parent who creates this student, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The ports that a registration touches."""

    log: Log
    accounts: Accounts
    registrations: Registrations
    keys: PersonKeys
