"""IssuePairingCode: a guardian, or a child that has none, gets a code with which one more guardian joins."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log, PairingCodes
from domain.cause import Cause, Receipt
from domain.errors import NotAllowed
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuePairingCode:
    """For whom; the actor of the cause asks."""

    cause: Cause
    student_id: UUID


async def issue_pairing_code(log: Log, codes: PairingCodes, command: IssuePairingCode) -> tuple[str, Receipt]:
    """Append `PairingCodeIssued` and return the code, the same at every repeat; raises `NotAllowed`."""
    code = codes.make(command.cause.command_id)

    async def decide(history: History) -> None:
        student = await history.load(User, command.student_id)
        if student is None:
            raise NotAllowed
        student.issue_code(command.cause.actor, codes.hash(code), command.cause.occurred_at)
        history.save(student)

    return code, await log.execute(command.cause, decide)
