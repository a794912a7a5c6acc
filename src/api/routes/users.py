"""Users: people register, parents register their children, and those who may follow someone read the profile."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends
from pydantic import Field
from starlette.responses import Response

from adapters.emails import email_hmac
from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.models import Email, Line, Model, Secret, shown_as
from api.route import Route
from api.routes.consents import ConsentTerms
from api.security import Followed, Following, PerhapsSignedIn, Viewer
from api.shapes import UserProfile
from commands.register_user import RegisterUser, new_user_id
from commands.register_user import register_user as handle
from domain.access import Rule
from domain.profile import Profile
from projections.user_profile import cache_key


class RegisteredProfile(Model):
    """What a person tells about themself."""

    name: Annotated[Line, Field(max_length=128)]
    grade_level: Annotated[
        Annotated[int, Field(ge=0, le=8)] | None,
        Field(description="From 0 (kindergarten) to 8; needed for a student, none for a parent."),
    ] = None
    learning_preferences: Annotated[tuple[Annotated[Line, Field(max_length=64)], ...], Field(max_length=32)] = ()
    timezone: Annotated[str, Field(max_length=64)] = "UTC"


class UserRegistration(Model):
    """A new account; a signed-in parent who registers a student becomes its guardian."""

    model_config = shown_as(
        {
            "email": "grace@example.org",
            "password": "correct horse battery staple",
            "role": "parent",
            "profile": {"name": "Grace", "timezone": "Europe/Berlin"},
        }
    )

    email: Email
    password: Annotated[
        Secret,
        Field(description="At least 8 characters, at most 72 bytes; the identity provider may ask for more."),
    ]
    role: Literal["parent", "student"]
    profile: RegisteredProfile
    consent: Annotated[
        ConsentTerms | None,
        Field(description="What the signed-in parent consents to for the child they register, if anything."),
    ] = None


async def register_user(
    viewer: Annotated[Viewer | None, Depends(PerhapsSignedIn())],
    registration: Annotated[Received[UserRegistration], Depends(Body(UserRegistration))],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Open an account that can sign in at once.

    Without a token people register themselves. A signed-in parent registers a student and becomes its guardian; nobody
    else who is signed in may register anyone.
    """
    content = registration.content
    sender = str(viewer.user_id) if viewer else email_hmac(backend.email_key, content.email).hex()
    command_id = attempt.command_id("RegisterUser", sender)
    user_id = new_user_id(command_id)
    command = RegisterUser(
        cause=attempt.cause("RegisterUser", command_id, viewer.user_id if viewer else user_id, registration.canonical),
        email=content.email,
        password=content.password,
        role=content.role,
        profile=Profile(
            name=content.profile.name,
            grade_level=content.profile.grade_level,
            learning_preferences=content.profile.learning_preferences,
            timezone=content.profile.timezone,
        ),
        parent_id=viewer.user_id if viewer else None,
        terms=content.consent.terms() if content.consent else None,
    )
    receipt = await handle(backend.registration, command)
    profile = await backend.get_user_profile(user_id, datetime.now(UTC))
    answer = json_answer(profile, status=201, position=receipt.last)
    answer.headers["location"] = f"/users/{user_id}"
    return answer


async def get_user_profile(
    followed: Annotated[Followed, Depends(Following("id", cached_as=cache_key))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Read a profile: one's own, or that of a child whose guardian one is."""
    if followed.value is not None:
        return json_answer(followed.value)
    return json_answer(await backend.get_user_profile(followed.about, datetime.now(UTC)))


ROUTES = (
    Route(
        "/users/{id}",
        get_user_profile,
        method="GET",
        operation="GetUserProfile",
        access=Rule.FOLLOWER,
        response_model=UserProfile,
        tags=["Users"],
    ),
    Route(
        "/users",
        register_user,
        method="POST",
        operation="RegisterUser",
        access=Rule.NEWCOMER,
        headers=["Event-Position", "Location"],
        status_code=201,
        response_model=UserProfile,
        tags=["Users"],
    ),
)
