"""User calls: what someone with an e-mail and a password may ask for, in the order they meet it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.embedded.auth.answers import session_json, user_json
from adapters.embedded.auth.bodies import Credentials, Refreshing, only_email, read_body, read_email
from adapters.embedded.auth.gate import Gate
from adapters.embedded.auth.passwords import Passwords, check_length, check_new_password
from adapters.embedded.auth.refusals import (
    OAuthRefusal,
    Refusal,
    invalid_credentials,
    user_not_found,
    validation_failed,
)
from adapters.embedded.auth.sessions import Session
from adapters.embedded.auth.users import NewUser, User, new_personal


@dataclass(frozen=True, slots=True)
class UserCalls:
    """Sign in, refresh, look, sign out."""

    gate: Gate
    passwords: Passwords
    sign_up_allowed: bool

    async def token(self, request: Request) -> Response:
        """Sign in with a password, or exchange a refresh token."""
        self.gate.check_api_key(request)
        match request.query_params.get("grant_type"):
            case "password":
                return await self._sign_in(await read_body(request, Credentials))
            case "refresh_token":
                return await self._refresh(await read_body(request, Refreshing))
            case _:
                raise Refusal(400, "invalid_credentials", "unsupported_grant_type")

    async def sign_up(self, request: Request) -> Response:
        """Open an account and sign in, where that is allowed."""
        self.gate.check_api_key(request)
        asked = await read_body(request, Credentials)
        if not self.sign_up_allowed:
            raise Refusal(422, "signup_disabled", "Signups not allowed for this instance")
        email = read_email(only_email(asked.email, asked.phone))
        check_new_password(asked.password)
        password = await self.passwords.hash(asked.password)
        new = NewUser(id=uuid4(), personal=new_personal(email, {}, asked.data or {}), password=password, confirmed=True)
        try:
            user = await self.gate.users.create(new)
        except Refusal:
            raise Refusal(422, "user_already_exists", "User already registered") from None
        return await self._begin_session(user)

    async def user(self, request: Request) -> Response:
        """Show who is signed in."""
        _, user = await self.gate.admit(request)
        return JSONResponse(user_json(user))

    async def logout(self, request: Request) -> Response:
        """Sign out this session, the user's others, or all (which is what no scope means)."""
        scope = request.query_params.get("scope", "global")
        if scope not in {"global", "local", "others"}:
            raise validation_failed("Unsupported logout scope")
        bearer, _ = await self.gate.admit(request)
        await self.gate.sessions.close(bearer.session_id, bearer.user_id, scope)
        return Response(status_code=204)

    async def _sign_in(self, asked: Credentials) -> Response:
        email = only_email(asked.email, asked.phone)
        check_length(asked.password)
        user = await self.gate.users.find_by_email(email)
        # An unknown e-mail costs the same work, or its answer's haste would tell.
        right = await self.passwords.matches(asked.password, user.password if user else None)
        if user is None or not right:
            raise invalid_credentials()
        _check_ban(user)
        if user.confirmed_at is None:
            raise Refusal(400, "email_not_confirmed", "Email not confirmed")
        return await self._begin_session(user)

    async def _refresh(self, asked: Refreshing) -> Response:
        if not asked.refresh_token:
            raise OAuthRefusal("invalid_request", "refresh_token required")
        session, refresh_token = await self.gate.sessions.refresh(asked.refresh_token)
        user = await self.gate.users.find(session.user_id)
        if user is None:
            raise user_not_found(400)
        _check_ban(user)
        return self._signed(user, session, refresh_token)

    async def _begin_session(self, user: User) -> Response:
        user = await self.gate.users.signed_in(user)
        return self._signed(user, *await self.gate.sessions.begin(user.id))

    def _signed(self, user: User, session: Session, refresh_token: str) -> Response:
        access_token, expires_at = self.gate.access_tokens.sign(user, session)
        answer = session_json(user, access_token, expires_at, refresh_token)
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def _check_ban(user: User) -> None:
    if user.banned_until is not None and user.banned_until > datetime.now(UTC):
        raise Refusal(400, "user_banned", "User is banned")
