"""Auth: an e-mail and a password become tokens, a refresh token becomes the next pair, and a logout ends them."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from adapters.emails import email_hmac
from adapters.identity import Tokens
from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend, backend_of
from api.body import Body, Received
from api.limits import rate_limits_of
from api.models import Email, Model, Secret, shown_as
from api.route import Route
from api.security import SignedIn, Viewer, access_token, token_hash_of
from domain.access import Rule


class Credentials(Model):
    """Who signs in."""

    model_config = shown_as({"email": "grace@example.org", "password": "correct horse battery staple"})

    email: Email
    password: Secret


class Refreshing(Model):
    """A refresh token. Each refresh brings a new one: use that one next."""

    model_config = shown_as({"refresh_token": "v1.pT9cXh2mKq4"})

    refresh_token: Secret


class Leaving(Model):
    """What ends: the session of this device, or those of all devices."""

    model_config = shown_as({"all_devices": False})

    all_devices: Annotated[bool, Field(description="End every session of this account, wherever it is signed in.")] = (
        False
    )


class SignedInTokens(BaseModel):
    """An access token good for `expires_in` seconds, and the refresh token that gets the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  OAuth's word, no secret
    expires_in: int
    user_id: UUID
    """Who signed in."""


class Knocking:
    """A dependency that reads credentials and charges the try to address and account; raises `QuotaExceeded`."""

    def __init__(self) -> None:
        self._body = Body(Credentials)
        self.document = self._body.document

    async def __call__(self, request: Request) -> Credentials:
        """Read who wants to sign in."""
        credentials = (await self._body(request)).content
        account = email_hmac(backend_of(request).email_key, credentials.email).hex()
        await rate_limits_of(request).charge_login(request, account)
        return credentials


async def login(
    credentials: Annotated[Credentials, Depends(Knocking())],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Sign in; a wrong password and an unknown e-mail are answered alike."""
    return _answer(await backend.signing_in.sign_in(credentials.email, credentials.password))


async def refresh_session(
    refreshing: Annotated[Received[Refreshing], Depends(Body(Refreshing))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Exchange a refresh token for the next pair of tokens; it works once.

    Shown again within ten seconds, as when the answer was lost, it brings the same successor; later it ends the session
    on every device that holds it.
    """
    return _answer(await backend.signing_in.refresh(refreshing.content.refresh_token))


async def logout(
    viewer: Annotated[Viewer, Depends(SignedIn())],
    token: Annotated[str, Depends(access_token)],
    leaving: Annotated[Received[Leaving], Depends(Body(Leaving, default=Leaving()))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """End this session, or those of all devices: their tokens are refused everywhere within five seconds."""
    await backend.signing_in.sign_out(viewer, token, everywhere=leaving.content.all_devices)
    await backend.cache.forget_session(token_hash_of(token))
    return Response(status_code=204)


def _answer(tokens: Tokens) -> Response:
    shown = SignedInTokens(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_in=tokens.expires_in,
        user_id=tokens.user_id,
    )
    return json_answer(shown.model_dump_json().encode())


ROUTES = (
    Route(
        "/auth/login",
        login,
        method="POST",
        operation="Login",
        access=Rule.ANYONE,
        response_model=SignedInTokens,
        tags=["Signing in"],
    ),
    Route(
        "/auth/refresh",
        refresh_session,
        method="POST",
        operation="RefreshSession",
        access=Rule.ANYONE,
        response_model=SignedInTokens,
        tags=["Signing in"],
    ),
    Route(
        "/auth/logout",
        logout,
        method="POST",
        operation="Logout",
        access=Rule.SIGNED_IN,
        status_code=204,
        tags=["Signing in"],
    ),
)
