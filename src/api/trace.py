"""Trace: the id under which a request can be found again, the caller's own if it sent one (W3C Trace Context)."""

import re
import secrets

from starlette.requests import Request

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(request: Request) -> str | None:
    """Return the caller's `traceparent` header; an invalid one is as good as none, as the standard wants."""
    values = request.headers.getlist("traceparent")
    return values[0] if len(values) == 1 and _TRACEPARENT.fullmatch(values[0]) else None


def trace_id_of(request: Request) -> str:
    """Return the request's trace id, 32 hexadecimal digits: the caller's, or one drawn when first asked for."""
    state = request.scope.setdefault("state", {})
    if "trace_id" not in state:
        traceparent = traceparent_of(request)
        state["trace_id"] = traceparent[3:35] if traceparent else secrets.token_hex(16)
    return str(state["trace_id"])
