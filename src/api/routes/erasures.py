"""Erasures: a guardian has a child forgotten, or a grown-up themself."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.responses import Response

from adapters.wiring import Backend
from api.backend import backend
from api.command import Attempt, Attempting
from api.query import PathId
from api.route import Route
from api.security import SignedIn, Viewer
from commands.erase_user import EraseUser
from commands.erase_user import erase_user as handle
from domain.access import Rule
from projections.cache import CacheAway


async def erase_user(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    user_id: Annotated[UUID, Depends(PathId("id"))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Have somebody forgotten for good: one's child, oneself as a parent, or oneself as a student without a guardian.

    From this answer on nothing more is recorded about them. Within a minute their key is destroyed, so that nobody can
    read their name, e-mail address or preferences again, their account is removed, and they are signed out everywhere.
    What remains are bare facts under an id that stands for nobody. It cannot be undone: export first. A child whose
    last guardian goes is erased 14 days later unless another one comes.
    """
    command_id = attempt.command_id("EraseUser", str(viewer.user_id))
    cause = attempt.cause("EraseUser", command_id, viewer.user_id, user_id.bytes)
    receipt = await handle(backend.log, EraseUser(cause=cause, user_id=user_id))
    with suppress(CacheAway):  # the housekeeper and the projector see to it in any case
        await backend.cache.forget_person(user_id, receipt.last)
    return Response(status_code=204, headers={"event-position": str(receipt.last)})


ROUTES = (
    Route(
        "/users/{id}",
        erase_user,
        method="DELETE",
        operation="EraseUser",
        access=Rule.CARETAKER,
        headers=["Event-Position"],
        status_code=204,
        tags=["Users"],
    ),
)
