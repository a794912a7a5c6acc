"""GrantConsent: a guardian allows that data of their child is processed, for the purposes they name."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from commands.ports import History, Log
from domain.cause import Cause, Receipt
from domain.consent import Terms
from domain.errors import NotAllowed
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantConsent:
    """To what, for whom; the actor of the cause is the guardian."""

    cause: Cause
    student_id: UUID
    terms: Terms


def new_consent_id(command_id: UUID) -> UUID:
    """Return the id of the consent that this command grants, the same at every repeat."""
    return uuid5(command_id, "consent")


async def grant_consent(log: Log, command: GrantConsent) -> Receipt:
    """Append one `ConsentGranted`; raises `NotAllowed` for anyone but a guardian, `InvalidValue` for other terms."""
    cause = command.cause

    async def decide(history: History) -> None:
        student = await history.load(User, command.student_id)
        if student is None:
            raise NotAllowed
        student.grant_consent(command.terms, cause.actor, new_consent_id(cause.command_id), cause.occurred_at)
        history.save(student)

    return await log.execute(cause, decide)
