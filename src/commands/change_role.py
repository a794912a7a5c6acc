"""GrantRole and RevokeRole: the operator gives an adult a role beyond parent, or takes it back."""

from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log
from domain.cause import Cause, Receipt
from domain.errors import UserUnknown
from domain.events import StaffRole
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRole:
    """Which role, and whose."""

    cause: Cause
    user_id: UUID
    role: StaffRole


async def grant_role(log: Log, command: ChangeRole) -> Receipt:
    """Append `StaffRoleGranted`; raises `UserUnknown`, `NotAllowed` for a student, `RoleUnchanged`."""

    async def decide(history: History) -> None:
        user = await _load(history, command.user_id)
        user.grant_role(command.role, command.cause.occurred_at)
        history.save(user)

    return await log.execute(command.cause, decide)


async def revoke_role(log: Log, command: ChangeRole) -> Receipt:
    """Append `StaffRoleRevoked`; raises `UserUnknown`, `RoleUnchanged`."""

    async def decide(history: History) -> None:
        user = await _load(history, command.user_id)
        user.revoke_role(command.role, command.cause.occurred_at)
        history.save(user)

    return await log.execute(command.cause, decide)


async def _load(history: History, user_id: UUID) -> User:
    user = await history.load(User, user_id)
    if user is None:
        raise UserUnknown
    return user
