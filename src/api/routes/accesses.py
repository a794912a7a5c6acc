"""Accesses: a student and their guardians see who else has read the student's data."""

import re
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from adapters.reads import read_back
from adapters.wiring import Backend
from api.answers import json_answer
from api.backend import backend
from api.models import Model
from api.query import Query
from api.route import Route
from api.security import Followed, Following
from domain.access import Rule

PAGE = 100
"""Accesses in one answer."""

_CURSOR = "^[0-7][0-9a-f]{15}$"


def read_cursor(text: object) -> int:
    """Return the id of the row that a cursor stands for."""
    if isinstance(text, str) and re.fullmatch(_CURSOR, text, re.ASCII):
        return int(text, 16)
    raise PydanticCustomError("cursor", "should be the `next` of an earlier answer")


Cursor = Annotated[int, PlainValidator(read_cursor), WithJsonSchema({"type": "string", "pattern": _CURSOR})]


class AccessQuery(Model):
    """From where on: without it, from the last access backwards."""

    after: Cursor | None = None


class Access(BaseModel):
    """Somebody, in a role, read something of the student; `what` is the operation, `why` what allowed it."""

    at: datetime
    by: UUID
    role: str
    what: str
    why: str


class Accesses(BaseModel):
    """Who read a student's data, the last first; `next` is the `after` of the next page, if there is one."""

    items: Annotated[list[Access], Field(max_length=PAGE)]
    next: str | None


async def list_accesses(
    followed: Annotated[Followed, Depends(Following("id", fresh=True))],
    asked: Annotated[AccessQuery, Depends(Query(AccessQuery))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """List who has read a student's data, for the student and the guardians, the last first.

    Everything that anyone but the student reads is listed a second later, this list included.
    """
    rows = backend.fence.seen_by(followed.viewer.user_id)
    reads = await read_back(rows, of=followed.about, before=asked.after, limit=PAGE + 1)
    items = [
        Access(at=read.at.astimezone(UTC), by=read.actor, role=read.role, what=read.what, why=read.why)
        for read in reads[:PAGE]
    ]
    after = f"{reads[PAGE - 1].id:016x}" if len(reads) > PAGE else None
    return json_answer(Accesses(items=items, next=after).model_dump_json().encode())


ROUTES = (
    Route(
        "/users/{id}/access-log",
        list_accesses,
        method="GET",
        operation="ListAccesses",
        access=Rule.FOLLOWER,
        response_model=Accesses,
        tags=["Families"],
    ),
)
