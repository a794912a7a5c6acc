"""Gate: who is calling, an administrator, someone signed in, or nobody we know."""

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from adapters.embedded.auth.access_tokens import AccessTokens, Bearer
from adapters.embedded.auth.refusals import Refusal, user_not_found
from adapters.embedded.auth.sessions import Sessions
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.auth.users import User, Users


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks API keys and bearer tokens."""

    settings: StandInSettings
    users: Users
    sessions: Sessions
    access_tokens: AccessTokens

    def check_api_key(self, request: Request) -> None:
        """Refuse a wrong `apikey`, as Supabase's gateway does; the server behind that gateway asks for none."""
        key = request.headers.get("apikey")
        if key is None or _same(key, self.settings.publishable_key) or _same(key, self.settings.secret_key):
            return
        raise Refusal(401, "no_authorization", "Invalid API key")

    def check_admin(self, request: Request) -> None:
        """Let the secret key pass and nothing else; raises `no_authorization`, `bad_jwt` or `not_admin`."""
        self.check_api_key(request)
        token = _bearer(request)
        if _same(token, self.settings.secret_key):
            return
        if not _same(token, self.settings.publishable_key):
            self.access_tokens.read(token)
        raise Refusal(403, "not_admin", "User not allowed")

    async def admit(self, request: Request) -> tuple[Bearer, User]:
        """Return who is signed in; raises `no_authorization`, `bad_jwt`, `user_not_found` or `session_not_found`."""
        self.check_api_key(request)
        bearer = self.access_tokens.read(_bearer(request))
        user = await self.users.find(bearer.user_id)
        if user is None:
            raise user_not_found(403, "User from sub claim in JWT does not exist")
        if not await self.sessions.exists(bearer.session_id, user.id):
            raise Refusal(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return bearer, user


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(401, "no_authorization", "This endpoint requires a valid Bearer token")
    return token.strip()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
