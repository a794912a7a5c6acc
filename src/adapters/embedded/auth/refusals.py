"""Refusals: every answer that is not a yes, in the words and codes of Supabase Auth."""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

API_VERSION = "X-Supabase-Api-Version"
CODES_SINCE = "2024-01-01"
"""Clients that name this version or a later one get their error code as `code`; older ones the status."""

_VERSION = re.compile(r"2\d{3}-\d{2}-\d{2}")


class Refusal(Exception):
    """The stand-in says no, with a status, Supabase's error code and a sentence."""

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.more = more


class OAuthRefusal(Exception):
    """The one refusal that Supabase still words as OAuth does: `error` and `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


def invalid_credentials() -> Refusal:
    """Answer a wrong password and an unknown e-mail alike."""
    return Refusal(400, "invalid_credentials", "Invalid login credentials")


def validation_failed(message: str, status: int = 400) -> Refusal:
    """Refuse a request that was understood and breaks a rule."""
    return Refusal(status, "validation_failed", message)


def bad_jwt() -> Refusal:
    """Refuse an access token, without saying what is wrong with it."""
    return Refusal(403, "bad_jwt", "invalid JWT: unable to parse or verify signature")


def user_not_found(status: int = 404, message: str = "User not found") -> Refusal:
    """Say that there is no such user."""
    return Refusal(status, "user_not_found", message)


def weak_password() -> Refusal:
    """Refuse a password that is too short."""
    return Refusal(
        422,
        "weak_password",
        "Password should be at least 8 characters.",
        weak_password={"reasons": ["length"]},
    )


def render(request: Request, refusal: Refusal) -> Response:
    """Word a refusal for the version of the contract that the client speaks."""
    version = request.headers.get(API_VERSION, "")
    headers = {"x-sb-error-code": refusal.code}
    body: Mapping[str, object]
    if _VERSION.fullmatch(version) and version >= CODES_SINCE:
        headers[API_VERSION] = CODES_SINCE
        body = {"code": refusal.code, "message": refusal.message}
    else:
        body = {"code": refusal.status, "error_code": refusal.code, "msg": refusal.message}
    return JSONResponse({**body, **refusal.more}, refusal.status, headers)


def render_oauth(refusal: OAuthRefusal) -> Response:
    """Word a refusal as OAuth does."""
    return JSONResponse({"error": refusal.error, "error_description": refusal.description}, 400)
