"""Query: what stands in the address of a request: ids in its path, and a query string that becomes a checked model."""

import re
from datetime import date, datetime
from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi.routing import APIRoute
from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from api.errors import FieldError, RequestInvalid
from api.fields import broken_fields
from api.models import Model, read_moment, read_uuid
from api.route import add_parameter

M = TypeVar("M", bound=Model)

LAST_POSITION = 2**63 - 1

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Query(Generic[M]):
    """A dependency that reads the query string as one model; raises `RequestInvalid` naming what breaks a rule."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._required = {name for name, field in model.model_fields.items() if field.is_required()}
        self._nothing = None if self._required else model()

    async def __call__(self, request: Request) -> M:
        """Read the query string of this request."""
        raw = request.scope["query_string"]
        if not raw and self._nothing is not None:
            return self._nothing
        try:
            pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
        except ValueError:
            raise RequestInvalid(FieldError("query", "malformed", "should be name=value pairs in UTF-8")) from None
        if len(dict(pairs)) != len(pairs):
            raise RequestInvalid(FieldError("query", "given-twice", "should give each name once"))
        try:
            return self._model.model_validate(dict(pairs))
        except ValidationError as error:
            raise RequestInvalid(*broken_fields(self._model, error, at=["query"])) from None

    def document(self, route: APIRoute) -> None:
        """Show the model's fields among the route's parameters in OpenAPI."""
        for name, schema in self._model.model_json_schema()["properties"].items():
            kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
            shown = {"anyOf": kinds} if len(kinds) > 1 else kinds[0]
            add_parameter(route, {"name": name, "in": "query", "required": name in self._required, "schema": shown})


class PathId:
    """A dependency that reads an id in the path; raises `RequestInvalid` for one that is none."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: Request) -> UUID:
        """Return the id in the path of this request."""
        return read_path_id(request, self._name)

    def document(self, route: APIRoute) -> None:
        """Show the id among the route's parameters in OpenAPI."""
        schema = {"type": "string", "format": "uuid"}
        add_parameter(route, {"name": self._name, "in": "path", "required": True, "schema": schema})


def read_path_id(request: Request, name: str) -> UUID:
    """Return the id in the request's path; raises `RequestInvalid`."""
    try:
        return read_uuid(request.path_params[name])
    except PydanticCustomError as error:
        raise RequestInvalid(FieldError(name, error.type, error.message())) from None


def read_position(text: object) -> int:
    """Return a position of the log, which are 1, 2, 3 and so on."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and 0 < int(text[:20]) <= LAST_POSITION:
        return int(text)
    raise PydanticCustomError("position", "should be a position of the log: 1, 2, 3 …")


def read_day(text: object) -> date:
    """Return a day written as 2026-01-31."""
    if isinstance(text, str) and _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise PydanticCustomError("day", "should be a day, as 2026-01-31")


def _read_instant(text: object) -> int | datetime:
    if isinstance(text, str) and text.isdigit():
        return read_position(text)
    return read_moment(text)


_POSITION = {"type": "integer", "minimum": 1, "maximum": LAST_POSITION}

Position = Annotated[int, PlainValidator(read_position), WithJsonSchema(_POSITION)]
"""A position of the log."""

Day = Annotated[date, PlainValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day of the calendar."""

Instant = Annotated[
    int | datetime,
    PlainValidator(_read_instant),
    WithJsonSchema({"anyOf": [_POSITION, {"type": "string", "format": "date-time"}]}),
]
"""A position of the log, or a moment: then the last event recorded by it is meant."""
