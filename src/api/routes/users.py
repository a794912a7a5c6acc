"""Users: people register, parents register their children; who may follow someone reads and changes the profile."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Annotated, Literal, cast

from fastapi import Depends
from pydantic import Field
from starlette.responses import Response

from adapters.emails import email_hmac
from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.command import Attempt, Attempting
from api.conditions import IfMatch, IfNoneMatch
from api.models import Email, Line, Model, Secret, shown_as
from api.query import Position, Query
from api.route import Route
from api.routes.consents import ConsentTerms
from api.security import Followed, Following, PerhapsSignedIn, Viewer
from api.shapes import UserProfile
from commands.register_user import RegisterUser, new_user_id
from commands.register_user import register_user as handle_registration
from commands.update_profile import UpdateProfile
from commands.update_profile import update_profile as handle_update
from domain.access import Rule
from domain.errors import ProfileUnchanged
from domain.profile import Profile, ProfileChanges
from projections.user_profile import cache_key, tag_of

Name = Annotated[Line, Field(max_length=128)]
Grade = Annotated[
    Annotated[int, Field(ge=0, le=8)] | None,
    Field(description="From 0 (kindergarten) to 8; needed for a student, none for a parent."),
]
Preferences = Annotated[tuple[Annotated[Line, Field(max_length=64)], ...], Field(max_length=32)]
TimeZone = Annotated[str, Field(max_length=64)]


class RegisteredProfile(Model):
    """What a person tells about themself."""

    name: Name
    grade_level: Grade = None
    learning_preferences: Preferences = ()
    timezone: TimeZone = "UTC"


class ProfileChange(Model):
    """What is to be different; what is not named stays."""

    name: Annotated[Name, Field(default_factory=str)]
    grade_level: Annotated[Grade, Field(default_factory=lambda: None)]
    learning_preferences: Annotated[Preferences, Field(default_factory=tuple)]
    timezone: Annotated[TimeZone, Field(default_factory=str)]


class ProfileUpdate(Model):
    """A change of a person's profile."""

    model_config = shown_as({"profile": {"grade_level": 4, "timezone": "Europe/Rome"}})

    profile: ProfileChange

    def changes(self) -> ProfileChanges:
        """Return what was named."""
        named = {name: getattr(self.profile, name) for name in self.profile.model_fields_set}
        return cast("ProfileChanges", named)


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


class ProfileQuery(Model):
    """Which profile: as it is known, or one that holds at least the events up to a position."""

    min_position: Position | None = None


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
    receipt = await handle_registration(backend.registration, command)
    shown = await backend.seen_by(command.cause.actor).get_user_profile.at(user_id, 1)
    answer = _answer(shown.body, status=201, position=receipt.last)
    answer.headers["location"] = f"/users/{user_id}"
    return answer


async def get_user_profile(
    followed: Annotated[Followed, Depends(Following("id", cached_as=cache_key))],
    asked: Annotated[ProfileQuery, Depends(Query(ProfileQuery))],
    seen: Annotated[AbstractSet[str], Depends(IfNoneMatch())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Read a profile: one's own, or that of a child whose guardian one is.

    A change shows a moment later; with its `Event-Position` as `min_position` it shows at once.
    """
    body = followed.value
    if body is None:
        profiles = backend.seen_by(followed.viewer.user_id).get_user_profile
        if asked.min_position is None:
            body = await profiles(followed.about, datetime.now(UTC))
        else:
            body = await profiles.at_least(followed.about, asked.min_position)
    if tag_of(body) in seen:
        return Response(status_code=304, headers={"etag": f'"{tag_of(body)}"'})
    return _answer(body)


async def update_profile(
    followed: Annotated[Followed, Depends(Following("id"))],
    asked: Annotated[Received[ProfileUpdate], Depends(Body(ProfileUpdate))],
    only_if: Annotated[AbstractSet[str] | None, Depends(IfMatch())],
    attempt: Annotated[Attempt, Depends(Attempting())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Change a profile, one's own or that of a child whose guardian one is; what is not named stays.

    With `If-Match` it is changed only if it is still what was read; who comes too late is told so and changes nothing.
    Naming what is so already changes nothing either.
    """
    actor, user_id = followed.viewer.user_id, followed.about
    command_id = attempt.command_id("UpdateProfile", str(actor))
    command = UpdateProfile(
        cause=attempt.cause("UpdateProfile", command_id, actor, user_id.bytes + asked.canonical),
        user_id=user_id,
        changes=asked.content.changes(),
        only_if=only_if,
    )
    profiles = backend.seen_by(actor).get_user_profile
    try:
        receipt = await handle_update(backend.log, profiles, command)
    except ProfileUnchanged:
        return _answer((await profiles.at(user_id)).body)
    [record] = await backend.reader.read(receipt.last - 1, limit=1)
    shown = await profiles.at(user_id, record.version)
    return _answer(shown.body, position=receipt.last)


def _answer(body: bytes, *, status: int = 200, position: int | None = None) -> Response:
    answer = json_answer(body, status=status, position=position)
    answer.headers["etag"] = f'"{tag_of(body)}"'
    return answer


ROUTES = (
    Route(
        "/users/{id}",
        get_user_profile,
        method="GET",
        operation="GetUserProfile",
        access=Rule.FOLLOWER,
        headers=["ETag"],
        response_model=UserProfile,
        tags=["Users"],
    ),
    Route(
        "/users/{id}",
        update_profile,
        method="PATCH",
        operation="UpdateProfile",
        access=Rule.FOLLOWER,
        headers=["ETag", "Event-Position"],
        response_model=UserProfile,
        tags=["Users"],
    ),
    Route(
        "/users",
        register_user,
        method="POST",
        operation="RegisterUser",
        access=Rule.NEWCOMER,
        headers=["ETag", "Event-Position", "Location"],
        status_code=201,
        response_model=UserProfile,
        tags=["Users"],
    ),
)
