"""Problems: the page behind every problem's `type`, in words."""

from html import escape
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.errors import PROBLEMS, AddressUnknown, name_of
from api.route import Route
from domain.access import Rule
from domain.errors import AfterschoolError

_BY_NAME = {name_of(kind): kind for kind in PROBLEMS}


async def list_problems() -> Response:
    """List every problem that an answer can name."""
    return _page("Problems", "".join(_entry(kind) for kind in PROBLEMS))


async def kind_in_path(request: Request) -> type[AfterschoolError]:
    """Read which problem the path names; raises `AddressUnknown`."""
    if kind := _BY_NAME.get(request.path_params["name"]):
        return kind
    raise AddressUnknown


async def describe_problem(kind: Annotated[type[AfterschoolError], Depends(kind_in_path)]) -> Response:
    """Say what one problem means."""
    return _page(PROBLEMS[kind].title, _entry(kind))


def _entry(kind: type[AfterschoolError]) -> str:
    problem = PROBLEMS[kind]
    return f"<h2>{escape(problem.title)} ({problem.status})</h2><p>{escape(kind().message)}</p>"


def _page(title: str, content: str) -> Response:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    return HTMLResponse(f"{head}<body>{content}</body></html>")


ROUTES = (
    Route(
        "/problems",
        list_problems,
        method="GET",
        operation="ListProblems",
        access=Rule.ANYONE,
        include_in_schema=False,
    ),
    Route(
        "/problems/{name}",
        describe_problem,
        method="GET",
        operation="DescribeProblem",
        access=Rule.ANYONE,
        include_in_schema=False,
    ),
)
