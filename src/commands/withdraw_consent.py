"""WithdrawConsent: a guardian ends a consent; from that position on nothing more is recorded under it."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log
from domain.cause import Cause, Receipt
from domain.errors import NotAllowed
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawConsent:
    """Which consent about whom; the actor of the cause is a guardian."""

    cause: Cause
    student_id: UUID
    consent_id: UUID


async def withdraw_consent(log: Log, command: WithdrawConsent) -> Receipt:
    """Append one `ConsentWithdrawn`; raises `NotAllowed` for anyone but a guardian, `ConsentEnded` the second time."""

    async def decide(history: History) -> None:
        student = await history.load(User, command.student_id)
        if student is None:
            raise NotAllowed
        student.withdraw_consent(command.consent_id, command.cause.actor, command.cause.occurred_at)
        history.save(student)

    return await log.execute(command.cause, decide)
