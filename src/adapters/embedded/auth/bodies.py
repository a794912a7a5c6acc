"""Bodies: what clients send, read as Supabase reads it: unknown members are ignored, wrong types are `bad_json`."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from adapters.emails import normalise
from adapters.embedded.auth.refusals import Refusal, validation_failed
from adapters.embedded.auth.users import Metadata

LARGEST = 65_536
"""Bytes."""
DEADLINE = 10.0
"""Seconds in which a body must have arrived."""
LONGEST_EMAIL = 254

_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")
_DURATION = re.compile(r"(?:\d{1,9}[hms])+")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def _finite(metadata: Metadata) -> Metadata:
    """Refuse numbers that JSON does not have, which the parser lets pass."""
    json.dumps(metadata, allow_nan=False)
    return metadata


Role = Annotated[str, Field(pattern=r"^[a-z_]{0,63}$")]
SentMetadata = Annotated[Metadata, AfterValidator(_finite)]


class Body(BaseModel):
    """A request's JSON object."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Credentials(Body):
    """Body of a sign-in or sign-up."""

    email: str = ""
    phone: str = ""
    password: str = ""
    data: SentMetadata | None = None


class Refreshing(Body):
    """Body of a refresh."""

    refresh_token: str = ""


class Deletion(Body):
    """Body of a deletion, which may also be empty."""

    should_soft_delete: bool = False


class Attributes(Body):
    """Body by which an administrator makes or changes a user."""

    id: str | None = None
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    password_hash: str | None = None
    email_confirm: bool = False
    app_metadata: SentMetadata | None = None
    user_metadata: SentMetadata | None = None
    ban_duration: str | None = None
    role: Role | None = None


B = TypeVar("B", bound=Body)


async def read_body(request: Request, kind: type[B]) -> B:
    """Read a body of at most 64 KiB that arrives within 10 seconds; raises the refusal `bad_json`."""
    raw = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > LARGEST:
                    raise validation_failed("Request body too large", 413)
        return kind.model_validate_json(bytes(raw) or b"{}")
    except TimeoutError:
        raise Refusal(408, "request_timeout", "The request body did not arrive in time") from None
    except ValidationError:
        raise Refusal(400, "bad_json", "Could not parse request body as JSON") from None


def only_email(email: str, phone: str) -> str:
    """Return the e-mail that someone goes by; telephones are not served here."""
    if email and phone:
        raise validation_failed("Only an email address or phone number should be provided.")
    if phone:
        raise Refusal(422, "phone_provider_disabled", "Phone logins are disabled")
    if not email:
        raise validation_failed("missing email or phone")
    return email


def read_email(email: str) -> str:
    """Return an address in the spelling Supabase keeps; raises `validation_failed` for what cannot be one."""
    kept = normalise(email)
    if len(kept) > LONGEST_EMAIL or not _ADDRESS.fullmatch(kept):
        raise validation_failed("Unable to validate email address: invalid format")
    return kept


def read_id(text: str, status: int = 400) -> UUID:
    """Return an id; raises `validation_failed`."""
    try:
        return UUID(text)
    except ValueError:
        raise validation_failed("user_id must be an UUID", status) from None


def read_ban(duration: str) -> datetime | None:
    """Return until when a ban of Go's notation (`24h`, `1h30m`) lasts, or None for `none`."""
    if duration in {"", "none"}:
        return None
    if not _DURATION.fullmatch(duration):
        raise validation_failed("invalid format for ban duration")
    seconds = sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[hms]", duration))
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise validation_failed("invalid format for ban duration") from None
