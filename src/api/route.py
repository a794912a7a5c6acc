"""Route: FastAPI documents it, Starlette serves it.

FastAPI's own solver costs as much as all the rest of a cached query. Here every parameter of an endpoint is a
dependency on the request alone, so a route needs no solver: it asks one after the other, in the order of the signature.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Protocol, cast, runtime_checkable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import MEDIA_TYPE
from api.limits import charge_address
from domain.access import Rule

PROBLEM: dict[str, Any] = {
    "description": "A problem document (RFC 9457); its `type` is stable and says which rule or machine said no.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
}

HEADERS: Mapping[str, dict[str, Any]] = {
    "ETag": {
        "description": "Stands for these very bytes, in `If-Match` with a change and in `If-None-Match`.",
        "schema": {"type": "string"},
    },
    "Event-Position": {
        "description": "Where the last event of this command stands in the log; good as `min_position`.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {"description": "The address of what was made.", "schema": {"type": "string"}},
    "Stale-By": {
        "description": "How many events the answer is behind `min_position`; absent if it is not.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
"""Headers that answers may have, as OpenAPI shows them."""

Endpoint = Callable[..., Awaitable[Response]]
Dependency = Callable[[Request], Awaitable[object]]


@runtime_checkable
class Documented(Protocol):
    """A dependency that shows in OpenAPI what it reads."""

    def document(self, route: APIRoute) -> None:
        """Add to the route's documentation."""


@runtime_checkable
class Gate(Protocol):
    """A dependency that lets in only those whom a rule names, and charges the request to its address."""

    admits: Rule

    async def __call__(self, request: Request) -> object:
        """Return what the endpoint is told; raises what refuses a request."""


class Route(APIRoute):
    """An operation of the API: parameters that are dependencies on the request, an answer that is a `Response`.

    `access` is who may call it. A gate among the dependencies sees to that: for a query to all of it, for a command at
    least to who is asking, for the rest is decided with it. Without a gate anyone is let in, and the request charged to
    its address before anything else, unless it `is_free`.
    """

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        method: str,
        operation: str,
        access: Rule,
        headers: Sequence[str] = (),
        is_free: bool = False,
        **details: Any,  # noqa: ANN401  FastAPI's own
    ) -> None:
        shown = {name: HEADERS[name] for name in headers}
        answers = {details.get("status_code", 200): {"headers": shown}} if shown else {}
        super().__init__(
            path,
            endpoint,
            methods=[method],
            operation_id=operation,
            summary=" ".join(re.findall("[A-Z][a-z]*", operation)).capitalize(),
            responses={**answers, "default": PROBLEM},
            openapi_extra={"x-access": access},
            **details,
        )
        self.operation = operation
        self._endpoint = endpoint
        self._asked = [(str(asked.name), cast("Dependency", asked.call)) for asked in self.dependant.dependencies]
        if len(self._asked) != len(signature(endpoint).parameters):
            raise TypeError(f"every parameter of {operation} must be a dependency")
        for _, dependency in self._asked:
            if isinstance(dependency, Documented):
                dependency.document(self)
        gates = [dependency for _, dependency in self._asked if isinstance(dependency, Gate)]
        admitted = gates[0].admits if gates else Rule.ANYONE
        if len(gates) > 1 or admitted not in ({access} if method == "GET" else {access, access.door}):
            raise TypeError(f"{operation} is for {access}, but lets in {admitted}")
        if gates:
            self._add_security(optional=admitted is Rule.ANYONE)
        self.access = access
        self._charges = not is_free and not gates
        self.app = self._answer

    def _add_security(self, *, optional: bool) -> None:
        """Show in OpenAPI that the route takes an access token."""
        token: dict[str, list[str]] = {"accessToken": []}
        self.openapi_extra = (self.openapi_extra or {}) | {"security": [{}, token] if optional else [token]}

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        if self._charges:
            await charge_address(request)
        response = await self._endpoint(**{name: await ask(request) for name, ask in self._asked})
        await response(scope, receive, send)


def operation_of(request: Request) -> str:
    """Return the name of the operation that a request asks for."""
    return cast("Route", request.scope["route"]).operation


def add_parameter(route: APIRoute, parameter: dict[str, object]) -> None:
    """Show one parameter more in a route's OpenAPI."""
    route.openapi_extra = route.openapi_extra or {}
    route.openapi_extra.setdefault("parameters", []).append(parameter)
