"""Access: every operation names who may call it, and lets in nobody else."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from starlette.responses import Response

from api.route import Endpoint, Route
from api.security import Following, SignedIn
from domain.access import Rule

RULES = {
    "GET /progress/{student_id}": Rule.FOLLOWER,
    "POST /progress": Rule.STUDENT,
    "GET /live/{student_id}": Rule.FOLLOWER,
    "POST /assessments/start": Rule.STUDENT,
    "POST /assessments": Rule.STUDENT,
    "GET /assessments": Rule.FOLLOWER,
    "GET /assessments/{id}": Rule.FOLLOWER,
    "GET /users/{id}": Rule.FOLLOWER,
    "PATCH /users/{id}": Rule.FOLLOWER,
    "POST /users": Rule.NEWCOMER,
    "GET /users/{id}/export": Rule.FOLLOWER,
    "GET /users/{id}/access-log": Rule.FOLLOWER,
    "DELETE /users/{id}": Rule.CARETAKER,
    "POST /users/{student_id}/pairing-codes": Rule.INVITER,
    "POST /guardianships": Rule.CODE_HOLDER,
    "GET /guardianships": Rule.SIGNED_IN,
    "DELETE /guardianships/{id}": Rule.GUARDIAN,
    "POST /users/{student_id}/consents": Rule.GUARDIAN,
    "GET /users/{student_id}/consents": Rule.FOLLOWER,
    "DELETE /users/{student_id}/consents/{id}": Rule.GUARDIAN,
    "POST /auth/login": Rule.ANYONE,
    "POST /auth/refresh": Rule.ANYONE,
    "POST /auth/logout": Rule.SIGNED_IN,
    "GET /health/live": Rule.ANYONE,
    "GET /health/ready": Rule.ANYONE,
}
"""Who may do what. Whoever changes a line lets other people in, or shuts some out."""
HIDDEN = {"/problems": Rule.ANYONE, "/problems/{name}": Rule.ANYONE}
"""Pages for people, which the document leaves out."""
OTHERS = {"/openapi.json", "/docs", "/docs/assets"}
"""The document itself and its page, which hold nothing of anybody."""


def test_every_operation_of_the_document_has_the_rule_that_was_reviewed(app: FastAPI) -> None:
    shown = {
        f"{method.upper()} {path}": operation.get("x-access")
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
    }

    assert shown == RULES


def test_nothing_else_is_served(app: FastAPI) -> None:
    routes: list[Any] = list(app.router.routes)
    ruled = [route for route in routes if isinstance(route, Route)]

    assert {route.path: route.access for route in ruled if not route.include_in_schema} == HIDDEN
    assert {route.path for route in routes if route not in ruled} == OTHERS


async def of_anyone() -> Response:
    return Response()


async def of_the_signed_in(viewer: Annotated[object, Depends(SignedIn())]) -> Response:
    return Response(str(viewer))


async def of_followers(followed: Annotated[object, Depends(Following("id"))]) -> Response:
    return Response(str(followed))


def test_a_route_without_a_rule_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="access"):
        Route("/", of_anyone, method="GET", operation="Nothing")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("method", "access", "endpoint"),
    [
        ("GET", Rule.SIGNED_IN, of_anyone),
        ("GET", Rule.FOLLOWER, of_the_signed_in),
        ("GET", Rule.GUARDIAN, of_followers),
        ("GET", Rule.ANYONE, of_the_signed_in),
        ("POST", Rule.GUARDIAN, of_anyone),
        ("POST", Rule.GUARDIAN, of_followers),
    ],
)
def test_a_route_that_lets_in_others_than_its_rule_says_cannot_be_made(
    method: str, access: Rule, endpoint: Endpoint
) -> None:
    with pytest.raises(TypeError, match="lets in"):
        Route("/{id}", endpoint, method=method, operation="Nothing", access=access)


@pytest.mark.parametrize(
    ("method", "access", "endpoint"),
    [
        ("GET", Rule.FOLLOWER, of_followers),
        ("GET", Rule.SIGNED_IN, of_the_signed_in),
        ("POST", Rule.GUARDIAN, of_the_signed_in),
        ("POST", Rule.NEWCOMER, of_anyone),
    ],
)
def test_queries_are_decided_at_the_door_and_commands_behind_it(method: str, access: Rule, endpoint: Endpoint) -> None:
    route = Route("/{id}", endpoint, method=method, operation="Nothing", access=access)

    assert (route.openapi_extra or {})["x-access"] == access
