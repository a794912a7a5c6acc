"""Command: what the headers of a request say of the command it brings, as the cause of what is recorded."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

from fastapi.routing import APIRoute
from starlette.requests import Request

from api.errors import FieldError, RequestInvalid
from api.route import add_parameter
from api.trace import trace_id_of, traceparent_of
from domain.cause import Cause

COMMANDS = UUID("6f1d1c0e-5a8b-5e0b-9d3c-2b1f7c6a4e59")
"""Name space of the ids of commands that came with an Idempotency-Key."""

_KEY = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a command, as its headers tell it; a repeat has the same key."""

    key: str | None
    traceparent: str | None
    trace_id: str
    received_at: datetime

    def command_id(self, operation: str, sender: str) -> UUID:
        """Return the command's id: the same for the same sender, operation and key, a new one without a key."""
        return uuid4() if self.key is None else uuid5(COMMANDS, f"{sender}\x1f{operation}\x1f{self.key}")

    def cause(self, operation: str, command_id: UUID, actor: UUID, body: bytes) -> Cause:
        """Return the cause of what the command records."""
        return Cause(
            command_id=command_id,
            operation=operation,
            actor=actor,
            occurred_at=self.received_at,
            body=body,
            correlation_id=UUID(self.trace_id) if self.traceparent else command_id,
            causation_id=command_id,
            traceparent=self.traceparent,
        )


class Attempting:
    """A dependency that reads `Idempotency-Key` and `traceparent`; raises `RequestInvalid` for a key that is none."""

    async def __call__(self, request: Request) -> Attempt:
        """Read the headers of this request."""
        return Attempt(_key(request), traceparent_of(request), trace_id_of(request), datetime.now(UTC))

    def document(self, route: APIRoute) -> None:
        """Show the headers among the route's parameters in OpenAPI."""
        words = "Repeat a request with the same key and body as often as you like: it takes effect once."
        schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!#-\\[\\]-~]+$"}
        add_parameter(route, {"name": "Idempotency-Key", "in": "header", "description": words, "schema": schema})


def _key(request: Request) -> str | None:
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    key = values[0]
    if quoted := _QUOTED.fullmatch(key):
        key = re.sub(r'\\(["\\])', r"\1", quoted[1])
        fits = 0 < len(key) <= 128  # noqa: PLR2004  as for the bare spelling
    else:
        fits = _KEY.fullmatch(key) is not None
    if len(values) > 1 or not fits:
        words = "should be one key of 1 to 128 visible ASCII characters, in quotes or bare"
        raise RequestInvalid(FieldError("Idempotency-Key", "idempotency-key", words))
    return key
