"""Guardianships: a code pairs one more guardian with a child; guardians see and end what there is."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.limits import rate_limits_of
from api.models import Model, shown_as
from api.query import PathId
from api.route import Route
from api.security import SignedIn, Viewer
from commands.issue_pairing_code import IssuePairingCode
from commands.issue_pairing_code import issue_pairing_code as handle_issue
from commands.link_child import LinkChild
from commands.link_child import link_child as handle_link
from commands.unlink_child import UnlinkChild
from commands.unlink_child import unlink_child as handle_unlink
from domain.access import Rule
from domain.errors import NotAllowed
from domain.user import CODE_LIVES, User, guardianship_id


class PairingCode(BaseModel):
    """Read it to the guardian to be, who types it in as they like: groups and capitals make no difference."""

    code: str
    expires_at: datetime


class Code(Model):
    """A pairing code."""

    model_config = shown_as({"code": "K7QM-2XVA-PT4D"})

    code: Annotated[str, StringConstraints(min_length=1, max_length=32, pattern="^[0-9A-Za-z -]+$")]


class Guardianship(BaseModel):
    """A guardian follows a student since `created_at`."""

    id: UUID
    guardian_id: UUID
    student_id: UUID
    created_at: datetime


class Guardianships(BaseModel):
    """All that the one who asks takes part in, on either side."""

    items: Annotated[list[Guardianship], Field(max_length=10_000)]


class Pairing(SignedIn):
    """A dependency that demands a valid access token and charges a try with pairing codes to its account."""

    async def __call__(self, request: Request) -> Viewer:
        """Return who sends this request; raises `QuotaExceeded` too."""
        viewer = await super().__call__(request)
        await rate_limits_of(request).charge_pairing(request, viewer.user_id)
        return viewer


async def issue_pairing_code(
    viewer: Annotated[Viewer, Depends(Pairing())],
    student_id: Annotated[UUID, Depends(PathId("student_id"))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Make a code with which one more guardian pairs with this child; it works once, for a day.

    The child makes it while nobody is its guardian, after that its guardians do.
    """
    command_id = attempt.command_id("IssuePairingCode", str(viewer.user_id))
    command = IssuePairingCode(
        cause=attempt.cause("IssuePairingCode", command_id, viewer.user_id, student_id.bytes), student_id=student_id
    )
    code, receipt = await handle_issue(backend.log, backend.pairing_codes, command)
    [record] = await backend.reader.read(receipt.first - 1, limit=1)
    shown = PairingCode(code=code, expires_at=record.occurred_at.astimezone(UTC) + CODE_LIVES)
    return json_answer(shown.model_dump_json().encode(), status=201, position=receipt.last)


async def link_child(
    viewer: Annotated[Viewer, Depends(Pairing())],
    code: Annotated[Received[Code], Depends(Body(Code))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Become a guardian of the child whose pairing code this is; only a parent can."""
    command_id = attempt.command_id("LinkChild", str(viewer.user_id))
    cause = attempt.cause("LinkChild", command_id, viewer.user_id, code.canonical)
    student_id, receipt = await handle_link(
        backend.log, backend.pairing_codes, LinkChild(cause=cause, code=code.content.code)
    )
    [record] = await backend.reader.read(receipt.first - 1, limit=1)
    made = _shown(viewer.user_id, student_id, record.occurred_at)
    return json_answer(made.model_dump_json().encode(), status=201, position=receipt.last)


async def list_guardianships(
    viewer: Annotated[Viewer, Depends(SignedIn())], backend: Annotated[Backend, Depends(backend)]
) -> Response:
    """List whose guardian one is, or who one's own guardians are."""
    user, _ = await backend.seen_by(viewer.user_id).aggregates.get(User, viewer.user_id)
    if user is None:
        raise NotAllowed
    children = [_shown(user.id, child, user.linked_at[child]) for child in user.children]
    guardians = [_shown(guardian, user.id, user.linked_at[guardian]) for guardian in user.guardians]
    items = sorted([*children, *guardians], key=lambda one: (one.created_at, one.id))
    return json_answer(Guardianships(items=items).model_dump_json().encode())


async def unlink_child(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    number: Annotated[UUID, Depends(PathId("id"))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """End a guardianship, one's own or another one of the same child, and with it the consents of that guardian.

    From that moment on the one who was guardian sees nothing more of the child; open streams end within seconds.
    """
    command_id = attempt.command_id("UnlinkChild", str(viewer.user_id))
    cause = attempt.cause("UnlinkChild", command_id, viewer.user_id, number.bytes)
    receipt = await backend.log.read_receipt(cause)
    if receipt is None:
        guardian_id, student_id = await _parties(backend, viewer.user_id, number)
        command = UnlinkChild(cause=cause, guardian_id=guardian_id, student_id=student_id)
        receipt = await handle_unlink(backend.log, command)
    return Response(status_code=204, headers={"event-position": str(receipt.last)})


async def _parties(backend: Backend, viewer_id: UUID, number: UUID) -> tuple[UUID, UUID]:
    """Return guardian and student of a guardianship that the viewer may end; raises `NotAllowed` for all others."""
    viewer, _ = await backend.log.aggregates.get(User, viewer_id, fresh=True)
    for student_id in viewer.children if viewer else ():
        student, _ = await backend.log.aggregates.get(User, student_id, fresh=True)
        for guardian_id in student.guardians if student else ():
            if guardianship_id(guardian_id, student_id) == number:
                return guardian_id, student_id
    raise NotAllowed


def _shown(guardian_id: UUID, student_id: UUID, since: datetime) -> Guardianship:
    return Guardianship(
        id=guardianship_id(guardian_id, student_id),
        guardian_id=guardian_id,
        student_id=student_id,
        created_at=since.astimezone(UTC),
    )


ROUTES = (
    Route(
        "/users/{student_id}/pairing-codes",
        issue_pairing_code,
        method="POST",
        operation="IssuePairingCode",
        access=Rule.INVITER,
        headers=["Event-Position"],
        status_code=201,
        response_model=PairingCode,
        tags=["Families"],
    ),
    Route(
        "/guardianships",
        link_child,
        method="POST",
        operation="LinkChild",
        access=Rule.CODE_HOLDER,
        headers=["Event-Position"],
        status_code=201,
        response_model=Guardianship,
        tags=["Families"],
    ),
    Route(
        "/guardianships",
        list_guardianships,
        method="GET",
        operation="ListGuardianships",
        access=Rule.SIGNED_IN,
        response_model=Guardianships,
        tags=["Families"],
    ),
    Route(
        "/guardianships/{id}",
        unlink_child,
        method="DELETE",
        operation="UnlinkChild",
        access=Rule.GUARDIAN,
        headers=["Event-Position"],
        status_code=204,
        tags=["Families"],
    ),
)
