"""LinkChild: a parent becomes the guardian of the child whose pairing code they have."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log, PairingCodes
from domain.cause import Cause, Receipt
from domain.errors import GuardianAlready, NotAllowed, PairingCodeRefused
from domain.user import User

NOBODY = UUID(int=0)
"""For whom a code that was never issued is, so that it is refused as any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChild:
    """The code; the actor of the cause is the parent."""

    cause: Cause
    code: str


async def link_child(log: Log, codes: PairingCodes, command: LinkChild) -> tuple[UUID, Receipt]:
    """Append `PairingCodeUsed`, `GuardianAdded` and `ChildLinked`; return whose guardian the parent is now.

    Raises `NotAllowed` for who is no parent, `PairingCodeRefused` alike for a code that is unknown, used or too old,
    and `GuardianAlready` where it is good.
    """
    student_id = await codes.student_of(command.code) or NOBODY

    async def decide(history: History) -> None:
        parent = await history.load(User, command.cause.actor)
        if parent is None or parent.role != "parent":
            raise NotAllowed
        student = await history.load(User, student_id)
        if student is None:
            raise PairingCodeRefused
        student.use_code(codes.hash(command.code), command.cause.occurred_at)
        if student_id in parent.children:
            raise GuardianAlready
        parent.link_child(student, command.cause.occurred_at)
        history.save(student, parent)

    return student_id, await log.execute(command.cause, decide)
