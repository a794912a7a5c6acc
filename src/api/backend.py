"""Backend: how a request finds what its application is made of."""

from typing import cast

from starlette.requests import Request

from adapters.wiring import Backend
from domain.errors import Unavailable


def backend_of(request: Request) -> Backend:
    """Return the log, the queries and the machines behind the application that answers this request.

    Raises `Unavailable` until it is certain that nobody in the database was erased.
    """
    if not request.app.state.serves:
        raise Unavailable
    return cast("Backend", request.app.state.backend)


async def backend(request: Request) -> Backend:
    """Bring the backend, as a dependency of a route."""
    return backend_of(request)
