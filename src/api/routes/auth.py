"""Auth: an e-mail and a password become tokens, and a refresh token becomes the next pair."""

from typing import Annotated, Literal

from fastapi import Depends
from pydantic import BaseModel
from starlette.responses import Response

from adapters.identity import Tokens
from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.body import Body, Received
from api.models import Email, Model, Secret, shown_as
from api.route import Route


class Credentials(Model):
    """Who signs in."""

    model_config = shown_as({"email": "grace@example.org", "password": "correct horse battery staple"})

    email: Email
    password: Secret


class Refreshing(Model):
    """A refresh token. Each refresh brings a new one: use that one next."""

    model_config = shown_as({"refresh_token": "v1.pT9cXh2mKq4"})

    refresh_token: Secret


class SignedInTokens(BaseModel):
    """An access token good for `expires_in` seconds, and the refresh token that gets the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  OAuth's word, no secret
    expires_in: int


async def login(
    credentials: Annotated[Received[Credentials], Depends(Body(Credentials))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Sign in; a wrong password and an unknown e-mail are answered alike."""
    content = credentials.content
    return _answer(await backend.identity.login(content.email, content.password))


async def refresh_session(
    refreshing: Annotated[Received[Refreshing], Depends(Body(Refreshing))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Exchange a refresh token for the next pair of tokens."""
    return _answer(await backend.identity.refresh(refreshing.content.refresh_token))


def _answer(tokens: Tokens) -> Response:
    shown = SignedInTokens(
        access_token=tokens.access_token, refresh_token=tokens.refresh_token, expires_in=tokens.expires_in
    )
    return json_answer(shown.model_dump_json().encode())


ROUTES = (
    Route("/auth/login", login, method="POST", operation="Login", response_model=SignedInTokens, tags=["Signing in"]),
    Route(
        "/auth/refresh",
        refresh_session,
        method="POST",
        operation="RefreshSession",
        response_model=SignedInTokens,
        tags=["Signing in"],
    ),
)
