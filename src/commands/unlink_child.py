"""UnlinkChild: a guardian ends a guardianship, their own or another one of the same child."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log
from domain.access import may_unlink
from domain.cause import Cause, Receipt
from domain.errors import NotAllowed
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkChild:
    """Whose guardianship of whom; the actor of the cause asks."""

    cause: Cause
    guardian_id: UUID
    student_id: UUID


async def unlink_child(log: Log, command: UnlinkChild) -> Receipt:
    """Append `GuardianRemoved` and `ChildUnlinked`, with `ConsentWithdrawn` for each consent of that guardian.

    Raises `NotAllowed` for anyone but a guardian of the child, and where there is no such guardianship.
    """

    async def decide(history: History) -> None:
        asking = await history.rely_on(User, command.cause.actor)
        guardian = await history.load(User, command.guardian_id)
        student = await history.load(User, command.student_id)
        if not (asking and guardian and student and may_unlink(asking, command.student_id)):
            raise NotAllowed
        guardian.unlink_child(student, command.cause.occurred_at)
        history.save(student, guardian)

    return await log.execute(command.cause, decide)
