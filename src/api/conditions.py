"""Conditions: which state of a resource a request is about, by the entity tags of earlier answers (RFC 9110, 13.1)."""

import re
from collections.abc import Set as AbstractSet

from fastapi.routing import APIRoute
from starlette.requests import Request

from api.errors import FieldError, RequestInvalid
from api.route import add_parameter

_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}([ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_EACH = re.compile(_TAG)


class IfMatch:
    """A dependency that reads `If-Match`; raises `RequestInvalid` for one that is no list of entity tags."""

    async def __call__(self, request: Request) -> AbstractSet[str] | None:
        """Return the tags, without their quotes, of which one must be the resource's; None where any will do.

        Weak tags are among them never: they say too little to change something by.
        """
        value = _value(request, "if-match")
        if value is None or value == "*":
            return None
        if not _TAGS.fullmatch(value):
            words = 'should be "*" or entity tags in quotes, as the header ETag had them'
            raise RequestInvalid(FieldError("If-Match", "entity-tags", words))
        return {tag for weak, tag in _EACH.findall(value) if not weak}

    def document(self, route: APIRoute) -> None:
        """Show the header among the route's parameters in OpenAPI."""
        words = "The `ETag` of what was read: if it is another by now, nothing is changed. `*` is any."
        _document(route, "If-Match", words)


class IfNoneMatch:
    """A dependency that reads `If-None-Match`."""

    async def __call__(self, request: Request) -> AbstractSet[str]:
        """Return the tags, without their quotes, of what the caller has; what is no tag is overlooked."""
        return {tag for _, tag in _EACH.findall(_value(request, "if-none-match") or "")}

    def document(self, route: APIRoute) -> None:
        """Show the header among the route's parameters in OpenAPI, and the answer to it."""
        route.responses[304] = {"description": "It is still the same."}
        _document(route, "If-None-Match", "The `ETag` of what was read: if it is still the same, the answer is 304.")


def _value(request: Request, header: str) -> str | None:
    values = request.headers.getlist(header)
    return ",".join(values).strip(" \t") if values else None


def _document(route: APIRoute, header: str, words: str) -> None:
    schema = {"type": "string"}
    add_parameter(route, {"name": header, "in": "header", "description": words, "schema": schema})
