"""Exports: a person, or a guardian, takes along everything that is recorded about them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response, StreamingResponse

from adapters.wiring import Backend
from api.backend import backend
from api.route import Route
from api.security import Followed, Following
from domain.access import Rule


class ZipStream(StreamingResponse):
    """A zip that is made while it is sent."""

    media_type = "application/zip"


async def export_person(
    followed: Annotated[Followed, Depends(Following("id", fresh=True))],
    backend: Annotated[Backend, Depends(backend)],
) -> Response:
    """Take along everything recorded about oneself or one's child: a zip of JSON lines and tables.

    Its README.txt says what is in it.
    """
    pieces = aiter(backend.seen_by(followed.viewer.user_id).export_person(followed.about))
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return ZipStream(all_pieces(), headers={"content-disposition": f'attachment; filename="{followed.about}.zip"'})


ROUTES = (
    Route(
        "/users/{id}/export",
        export_person,
        method="GET",
        operation="ExportPerson",
        access=Rule.FOLLOWER,
        response_class=ZipStream,
        tags=["Users"],
    ),
)
