"""EraseUser: someone is forgotten, because it is asked for or because the time has come; a worker does the rest."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log
from domain.access import may_erase
from domain.cause import HOUSEKEEPER, OPERATOR, Cause, Receipt
from domain.errors import NotAllowed
from domain.events import ErasureReason
from domain.retention import is_due
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseUser:
    """Who is erased and why; the actor of the cause asks for it."""

    cause: Cause
    user_id: UUID
    reason: ErasureReason = "asked"


async def erase_user(log: Log, command: EraseUser) -> Receipt:
    """Append `UserErased` with the end of every guardianship; from then on no command finds this person.

    Raises `NotAllowed` for anyone but a guardian, somebody without guardians and the operator, for whom is not there,
    and where the retention schedule does not ask for it yet.
    """
    at = command.cause.occurred_at

    async def decide(history: History) -> None:
        person = await history.load(User, command.user_id)
        if person is None or not is_due(person, command.reason, at):
            raise NotAllowed
        if command.cause.actor not in {OPERATOR, HOUSEKEEPER} and not may_erase(command.cause.actor, person):
            raise NotAllowed
        loaded = [await history.load(User, relative) for relative in sorted(person.guardians | person.children)]
        family = [relative for relative in loaded if relative]
        person.erase(family, command.reason, at)
        history.save(person, *family)

    return await log.execute(command.cause, decide)
