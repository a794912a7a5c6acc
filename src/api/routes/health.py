"""Health: the two questions that an operator's machines keep asking."""

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.answers import json_answer
from api.errors import NotReady
from api.health import Readiness
from api.route import Route
from api.shapes import Health
from domain.access import Rule


async def live() -> Response:
    """Tell that the process answers; a process that doesn't should be started again."""
    return json_answer(Health(status="live").model_dump_json().encode())


async def readiness(request: Request) -> Readiness:
    """Bring whoever looks after the machines."""
    return cast("Readiness", request.app.state.readiness)


async def ready(readiness: Annotated[Readiness, Depends(readiness)]) -> Response:
    """Tell whether requests can be served: without Redis they can, only slower, without Supabase all but signing in."""
    finding = await readiness.look()
    if finding.away:
        raise NotReady(away=[*finding.away, *finding.degraded])
    return json_answer(Health(status="ready", degraded=list(finding.degraded)).model_dump_json().encode())


ROUTES = (
    Route(
        "/health/live",
        live,
        method="GET",
        operation="IsLive",
        access=Rule.ANYONE,
        is_free=True,
        response_model=Health,
        tags=["Health"],
    ),
    Route(
        "/health/ready",
        ready,
        method="GET",
        operation="IsReady",
        access=Rule.ANYONE,
        is_free=True,
        response_model=Health,
        tags=["Health"],
    ),
)
