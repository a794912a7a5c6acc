"""Body: the bytes of a request in, a checked model out; the one way in which routes read bodies.

Two readers look at every body, because each misses what the other sees: Python's finds names given twice and absurd
numbers, pydantic's strict one finds lone surrogates and everything that the model refuses.
"""

import json
import re
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from fastapi import params
from fastapi.routing import APIRoute
from fastapi.utils import create_model_field
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from api.errors import BodyMalformed, BodyTooLarge, ContentTypeUnsupported, RequestInvalid
from api.fields import broken_fields
from api.models import Model

DEPTH = 64
"""Levels to which a body may nest."""
DIGITS = 30
"""Characters that a number may have."""

_CONTENT_TYPE = re.compile(r'application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A body that was read: what it says, and the bytes that tell a repeat from another request."""

    content: M
    canonical: bytes
    """The fields that were given, in the model's order, however they were spelt and spaced."""


class Body(Generic[M]):
    """A dependency that reads the body as one model.

    Raises `BodyTooLarge`, `ContentTypeUnsupported`, `BodyMalformed` and `RequestInvalid`, in this order of checks.
    """

    def __init__(self, model: type[M], *, default: M | None = None) -> None:
        """Take the model, and what no body at all means where there may be none."""
        self._model = model
        self._default = default

    async def __call__(self, request: Request) -> Received[M]:
        """Read the body of this request."""
        raw = await _receive(request, limit=request.app.state.settings.max_body_bytes)
        if self._default is not None and not raw and "content-type" not in request.headers:
            return Received(self._default, b"")
        if not _CONTENT_TYPE.fullmatch(request.headers.get("content-type", "")):
            raise ContentTypeUnsupported
        check_json(raw)
        try:
            content = self._model.model_validate_json(raw)
        except ValidationError as error:
            raise _refusal(self._model, error) from None
        return Received(content, content.__pydantic_serializer__.to_json(content, exclude_unset=True))

    def document(self, route: APIRoute) -> None:
        """Show the model as the route's request body in OpenAPI."""
        field = params.Body(default=... if self._default is None else self._default, annotation=self._model)
        route.body_field = create_model_field("body", self._model, field_info=field)


def check_json(raw: bytes) -> None:
    """Raise `BodyMalformed` unless these bytes are one JSON text that every reader understands alike."""
    try:
        text = raw.decode()
        if raw.count(b"{") + raw.count(b"[") > DEPTH and _depth(text) > DEPTH:
            raise BodyMalformed
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise BodyMalformed from None


async def _receive(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise BodyTooLarge
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLarge
        more = message.get("more_body", False)
    return b"".join(chunks)


def _refusal(model: type[Model], error: ValidationError) -> BodyMalformed | RequestInvalid:
    if any(problem["type"] == "json_invalid" for problem in error.errors(include_url=False, include_input=False)):
        return BodyMalformed()
    return RequestInvalid(*broken_fields(model, error))


def _depth(text: str) -> int:
    """Return how deep this text nests, strings apart; it need not be well-formed."""
    depth = deepest = 0
    for character in _STRINGS.sub("", text):
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise BodyMalformed


def _number(literal: str) -> None:
    if len(literal) > DIGITS:
        raise BodyMalformed


def _no_number(_constant: str) -> NoReturn:
    raise BodyMalformed


_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_int=_number, parse_float=_number, parse_constant=_no_number
)
