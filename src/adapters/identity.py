"""Identity: passwords, tokens and accounts at Supabase Auth, through its own client, in our words and errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from pydantic import ValidationError
from supabase_auth import AsyncGoTrueAdminAPI, AsyncGoTrueClient
from supabase_auth.errors import (
    AuthApiError,
    AuthError,
    AuthInvalidCredentialsError,
    AuthSessionMissingError,
    AuthWeakPasswordError,
)
from supabase_auth.types import AdminUserAttributes, AuthResponse

from adapters.emails import normalise
from commands.ports import Account
from domain.errors import CredentialsWrong, EmailTaken, IdentityUnavailable, InvalidValue

DEADLINE = 10.0
"""Seconds that the provider has for one call, whatever it is made of."""
LONGEST_PASSWORD = 72
"""Bytes the provider can tell apart; it would refuse more."""

_OWN_FAULT = frozenset(
    {
        "invalid_credentials",
        "email_not_confirmed",
        "user_banned",
        "user_not_found",
        "validation_failed",
        "session_not_found",
        "session_expired",
        "refresh_token_not_found",
        "refresh_token_already_used",
    }
)
"""What the provider says when the credentials are at fault, and not our keys, its limits or its health."""
_OVER = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND})
"""What the provider answers to a session that has ended already."""
_TAKEN = frozenset({"email_exists", "user_already_exists"})
_WEAKNESSES = {
    "length": "too short",
    "characters": "needs more kinds of characters",
    "pwned": "known from a data leak",
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """A signed-in session's access token, the refresh token for the next one, and the seconds until it is needed."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    user_id: UUID


class SupabaseIdentity:
    """Supabase Auth, or the stand-in that speaks like it; also the port `commands.ports.Accounts`.

    The clients remember who signed in last, so each call gets its own, over one shared HTTP client.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        publishable_key: str,
        secret_key: str,
        deadline: float = DEADLINE,
    ) -> None:
        """Take an HTTP client with timeouts, the base address without `/auth/v1`, and Supabase's two keys."""
        self._http = http
        self._url = f"{url.rstrip('/')}/auth/v1"
        self._publishable_key = publishable_key
        self._secret_key = secret_key
        self._deadline = deadline

    async def ping(self) -> None:
        """Raise `IdentityUnavailable` unless the provider answers now."""
        try:
            (await self._http.get(f"{self._url}/.well-known/jwks.json")).raise_for_status()
        except httpx.HTTPError:
            raise IdentityUnavailable from None

    async def login(self, email: str, password: str) -> Tokens:
        """Sign in; raises `CredentialsWrong` alike for a wrong password and an unknown e-mail."""
        async with _credentials(self._deadline):
            return _tokens(
                await self._client().sign_in_with_password({"email": normalise(email), "password": password})
            )

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token, which works once, for the next pair; raises `CredentialsWrong`."""
        async with _credentials(self._deadline):
            return _tokens(await self._client().refresh_session(refresh_token))

    async def logout(self, access_token: str, *, everywhere: bool) -> None:
        """End the session of an access token, or all of its user's; one that is over already is no error."""
        async with _provider(self._deadline):
            try:
                await self._admin().sign_out(access_token, "global" if everywhere else "local")
            except AuthApiError as error:
                if error.status not in _OVER:
                    raise

    async def create(self, account: Account, password: str) -> None:
        """Make an account that can sign in at once; one with this very id and e-mail is there already and stays.

        Raises `EmailTaken`, and `InvalidValue` for a password or an e-mail address the provider refuses.
        """
        if not password:  # which would make an account without one
            raise InvalidValue(field="password", reason=_WEAKNESSES["length"])
        if len(password.encode()) > LONGEST_PASSWORD:
            raise InvalidValue(field="password", reason=f"at most {LONGEST_PASSWORD} bytes")
        email = normalise(account.email)
        async with _provider(self._deadline):
            try:
                made = await self._admin().create_user(_attributes(account.user_id, email, password))
            except AuthWeakPasswordError as error:
                raise InvalidValue(field="password", reason=_weakness(error)) from None
            except AuthApiError as error:
                if error.code in _TAKEN:
                    if await self._is_there(account.user_id, email):
                        return
                    raise EmailTaken from None
                if error.code in {"validation_failed", "email_address_invalid"}:
                    raise InvalidValue(field="email", reason="not an e-mail address") from None
                raise
            if made.user.id != str(account.user_id):
                # A provider too old to take our id: such an account could never be found again.
                await self._admin().delete_user(made.user.id)
                raise IdentityUnavailable

    async def delete(self, user_id: UUID) -> None:
        """Remove an account for good; one that is not there is no error."""
        async with _provider(self._deadline):
            try:
                await self._admin().delete_user(str(user_id))
            except AuthApiError as error:
                if error.code != "user_not_found":
                    raise

    async def _is_there(self, user_id: UUID, email: str) -> bool:
        try:
            found = await self._admin().get_user_by_id(str(user_id))
        except AuthApiError as error:
            if error.code != "user_not_found":
                raise
            return False
        return normalise(found.user.email or "") == email

    def _client(self) -> AsyncGoTrueClient:
        return AsyncGoTrueClient(
            url=self._url,
            headers=_headers(self._publishable_key),
            auto_refresh_token=False,
            persist_session=False,
            http_client=self._http,
        )

    def _admin(self) -> AsyncGoTrueAdminAPI:
        return AsyncGoTrueAdminAPI(url=self._url, headers=_headers(self._secret_key), http_client=self._http)


@asynccontextmanager
async def _provider(deadline: float) -> AsyncIterator[None]:
    """Name everything that is the provider's trouble `IdentityUnavailable`; its own words may quote the request."""
    try:
        async with asyncio.timeout(deadline):
            yield
    except (AuthError, ValidationError, TimeoutError):
        raise IdentityUnavailable from None


@asynccontextmanager
async def _credentials(deadline: float) -> AsyncIterator[None]:
    """Tell wrong credentials from a provider in trouble."""
    async with _provider(deadline):
        try:
            yield
        except (AuthInvalidCredentialsError, AuthSessionMissingError):
            raise CredentialsWrong from None
        except AuthApiError as error:
            # Errors without a code are OAuth's, which says 400 for a wrong grant.
            if error.code in _OWN_FAULT or (error.code is None and error.status == httpx.codes.BAD_REQUEST):
                raise CredentialsWrong from None
            raise


def _tokens(answer: AuthResponse) -> Tokens:
    if answer.session is None:
        raise IdentityUnavailable
    session = answer.session
    return Tokens(session.access_token, session.refresh_token, session.expires_in, UUID(session.user.id))


def _attributes(user_id: UUID, email: str, password: str) -> AdminUserAttributes:
    return {"id": str(user_id), "email": email, "password": password, "email_confirm": True}


def _headers(key: str) -> dict[str, str]:
    return {"apikey": key, "Authorization": f"Bearer {key}"}


def _weakness(error: AuthWeakPasswordError) -> str:
    return ", ".join(_WEAKNESSES.get(reason, reason) for reason in error.reasons) or "too weak"
