"""Public calls: what anyone may ask for."""

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.embedded.auth.access_tokens import AccessTokens
from adapters.embedded.auth.users import Users


@dataclass(frozen=True, slots=True)
class PublicCalls:
    """The published keys, and whether the stand-in is well."""

    users: Users
    access_tokens: AccessTokens

    async def jwks(self, _: Request) -> Response:
        """Publish the keys that tokens are signed with."""
        return JSONResponse(self.access_tokens.jwks(), headers={"cache-control": "public, max-age=600"})

    async def health(self, _: Request) -> Response:
        """Answer 200 if the tables can be reached, else 503."""
        await self.users.find(UUID(int=0))
        return JSONResponse({"name": "GoTrue", "version": "stand-in", "description": "Stand-in for Supabase Auth"})
