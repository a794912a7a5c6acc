"""Answers: JSON that is ready to go, with the headers that say where the log stood."""

from starlette.responses import Response


def json_answer(body: bytes, *, status: int = 200, position: int | None = None, stale_by: int = 0) -> Response:
    """Answer with these very bytes; `position` is where the command's last event stands."""
    headers = {}
    if position is not None:
        headers["event-position"] = str(position)
    if stale_by:
        headers["stale-by"] = str(stale_by)
    return Response(body, status, headers, media_type="application/json")
