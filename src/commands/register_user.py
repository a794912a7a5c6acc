"""RegisterUser: a parent or student gets an account; a signed-in parent's child is linked at once."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from commands.grant_consent import new_consent_id
from commands.ports import Account, Accounts, History, Log, PersonKeys, Registrations
from domain.cause import Cause, Receipt
from domain.consent import Terms, check_terms
from domain.errors import EmailTaken, IdempotencyKeyReused, InvalidValue, NotAllowed, Refused, UserUnknown
from domain.events import Role
from domain.profile import Profile, check_profile
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterUser:
    """Who registers. The new person's id follows from the command's, and is the actor of a self-registration."""

    cause: Cause
    email: str
    password: str
    role: Role
    profile: Profile
    parent_id: UUID | None = None
    """The signed-in parent who creates this student, if any."""
    terms: Terms | None = None
    """What that parent consents to in the same breath, if anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPorts:
    """What a registration touches."""

    log: Log
    accounts: Accounts
    registrations: Registrations
    keys: PersonKeys


def new_user_id(command_id: UUID) -> UUID:
    """Return the id of the person whom this command registers, the same at every repeat."""
    return uuid5(command_id, "user")


async def register_user(ports: RegistrationPorts, command: RegisterUser) -> Receipt:
    """Make the account and append `UserRegistered`, with `GuardianAdded` and `ChildLinked` for a parent's child.

    A crash on the way leaves a claim that a repeat completes and others take over after a minute. Raises `EmailTaken`,
    `RegistrationInProgress`, `InvalidValue` for profile or password, `NotAllowed`, and the outages of both machines.
    """
    check_profile(command.role, command.profile)
    if (command.parent_id and command.role != "student") or (command.terms and not command.parent_id):
        raise NotAllowed
    if command.terms:
        check_terms(command.terms)
    if receipt := await ports.log.read_receipt(command.cause):
        return receipt
    command_id = command.cause.command_id
    user_id = new_user_id(command_id)
    await ports.registrations.claim(command.email, command_id, user_id)
    try:
        await ports.accounts.create(Account(user_id=user_id, email=command.email), command.password)
        await ports.keys.create(user_id)
        # Whoever was frozen for a minute may have lost the e-mail, and the account with it.
        await ports.registrations.claim(command.email, command_id, user_id)
        receipt = await _append(ports.log, command, user_id)
    except IdempotencyKeyReused:
        raise
    except (EmailTaken, InvalidValue):  # no account was made
        await ports.registrations.settle(command_id, user_id)
        raise
    except Refused:
        if receipt := await ports.log.read_receipt(command.cause):  # a repeat was faster: account and key are in use
            return receipt
        await ports.accounts.delete(user_id)
        await ports.keys.destroy(user_id)
        await ports.registrations.settle(command_id, user_id)
        raise
    await ports.registrations.settle(command_id, user_id)
    return receipt


async def _append(log: Log, command: RegisterUser, user_id: UUID) -> Receipt:
    at = command.cause.occurred_at

    async def decide(history: History) -> None:
        user = User.register(user_id, command.role, command.email, command.profile, at)
        if command.parent_id:
            parent = await history.load(User, command.parent_id)
            if parent is None:
                raise UserUnknown
            parent.link_child(user, at)
            if command.terms:
                user.grant_consent(command.terms, parent.id, new_consent_id(command.cause.command_id), at)
            history.save(user, parent)
        else:
            history.save(user)

    return await log.execute(command.cause, decide)
