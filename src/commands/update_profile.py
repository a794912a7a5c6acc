"""UpdateProfile: a person, or a guardian for their child, says what is different about them now."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from commands.ports import History, Log, Profiles
from domain.access import may_update_profile
from domain.cause import Cause, Receipt
from domain.errors import ChangedMeanwhile, NotAllowed
from domain.profile import ProfileChanges
from domain.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProfile:
    """What changes, and whose; the actor of the cause is the one who says so."""

    cause: Cause
    user_id: UUID
    changes: ProfileChanges
    only_if: AbstractSet[str] | None = None
    """Tags of the profiles that may be changed; None where it does not matter what it was."""


async def update_profile(log: Log, profiles: Profiles, command: UpdateProfile) -> Receipt:
    """Append one `ProfileUpdated`, exactly behind the profile that was looked at.

    Raises `NotAllowed` for strangers, `ChangedMeanwhile` where the profile is none of those it may be,
    `ProfileUnchanged` where nothing would be different, and `InvalidValue` naming the field.
    """

    async def decide(history: History) -> None:
        user = await history.load(User, command.user_id)
        if user is None or not may_update_profile(command.cause.actor, user):
            raise NotAllowed
        known = await profiles.at(user.id, user.version)
        if command.only_if is not None and known.tag not in command.only_if:
            raise ChangedMeanwhile
        user.update_profile(known.profile, command.changes, command.cause.occurred_at)
        history.save(user)

    return await log.execute(command.cause, decide)
