"""Consents: a guardian allows what may be recorded of a child, sees who allowed what, and ends it."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.models import Model, shown_as
from api.query import PathId
from api.route import Route
from api.security import Followed, Following, SignedIn, Viewer
from commands.grant_consent import GrantConsent, new_consent_id
from commands.grant_consent import grant_consent as handle_grant
from commands.withdraw_consent import WithdrawConsent
from commands.withdraw_consent import withdraw_consent as handle_withdraw
from domain.access import Rule
from domain.consent import Terms
from domain.errors import ConsentEnded
from domain.events import Scope
from domain.user import User


class ConsentTerms(Model):
    """To which policy a guardian consents, for what purposes, and under the law of which country."""

    model_config = shown_as({"policy_version": "2026-1", "scopes": ["learning", "personalisation"], "country": "IT"})

    policy_version: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)]
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]

    def terms(self) -> Terms:
        """Return them in the domain's words."""
        return Terms(policy_version=self.policy_version, scopes=self.scopes, country=self.country)


class Consent(BaseModel):
    """A guardian's consent, from `granted_at` until `withdrawn_at`."""

    id: UUID
    guardian_id: UUID
    scopes: list[Scope]
    policy_version: str
    granted_at: datetime
    withdrawn_at: datetime | None


class Consents(BaseModel):
    """All consents about a student, those that ended included, the oldest first."""

    items: list[Consent]


async def grant_consent(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    student_id: Annotated[UUID, Depends(PathId("student_id"))],
    asked: Annotated[Received[ConsentTerms], Depends(Body(ConsentTerms))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Allow that data of one's child is processed, for the purposes named; only a guardian can.

    `learning` is practice and tests, `personalisation` the choice of exercises and review dates, `research` exports
    for analysts under a pseudonym.
    """
    command_id = attempt.command_id("GrantConsent", str(viewer.user_id))
    cause = attempt.cause("GrantConsent", command_id, viewer.user_id, student_id.bytes + asked.canonical)
    terms = asked.content.terms()
    receipt = await handle_grant(backend.log, GrantConsent(cause=cause, student_id=student_id, terms=terms))
    [record] = await backend.reader.read(receipt.first - 1, limit=1)
    shown = Consent(
        id=new_consent_id(command_id),
        guardian_id=viewer.user_id,
        scopes=list(terms.scopes),
        policy_version=terms.policy_version,
        granted_at=record.occurred_at.astimezone(UTC),
        withdrawn_at=None,
    )
    return json_answer(shown.model_dump_json().encode(), status=201, position=receipt.last)


async def list_consents(
    followed: Annotated[Followed, Depends(Following("student_id"))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """List who consented to what about a student, for the student and the guardians."""
    student, _ = await backend.seen_by(followed.viewer.user_id).aggregates.get(User, followed.about)
    consents = sorted(student.consents.values() if student else (), key=lambda one: (one.granted_at, one.id))
    items = [
        Consent(
            id=one.id,
            guardian_id=one.guardian_id,
            scopes=list(one.scopes),
            policy_version=one.policy_version,
            granted_at=one.granted_at.astimezone(UTC),
            withdrawn_at=one.withdrawn_at and one.withdrawn_at.astimezone(UTC),
        )
        for one in consents
    ]
    return json_answer(Consents(items=items).model_dump_json().encode())


async def withdraw_consent(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    student_id: Annotated[UUID, Depends(PathId("student_id"))],
    number: Annotated[UUID, Depends(PathId("id"))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """End a consent; any guardian may. Doing it again changes nothing."""
    command_id = attempt.command_id("WithdrawConsent", str(viewer.user_id))
    cause = attempt.cause("WithdrawConsent", command_id, viewer.user_id, student_id.bytes + number.bytes)
    with suppress(ConsentEnded):
        receipt = await handle_withdraw(
            backend.log, WithdrawConsent(cause=cause, student_id=student_id, consent_id=number)
        )
        return Response(status_code=204, headers={"event-position": str(receipt.last)})
    return Response(status_code=204)


ROUTES = (
    Route(
        "/users/{student_id}/consents",
        grant_consent,
        method="POST",
        operation="GrantConsent",
        access=Rule.GUARDIAN,
        headers=["Event-Position"],
        status_code=201,
        response_model=Consent,
        tags=["Families"],
    ),
    Route(
        "/users/{student_id}/consents",
        list_consents,
        method="GET",
        operation="ListConsents",
        access=Rule.FOLLOWER,
        response_model=Consents,
        tags=["Families"],
    ),
    Route(
        "/users/{student_id}/consents/{id}",
        withdraw_consent,
        method="DELETE",
        operation="WithdrawConsent",
        access=Rule.GUARDIAN,
        headers=["Event-Position"],
        status_code=204,
        tags=["Families"],
    ),
)
