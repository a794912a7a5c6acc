"""Errors: every refusal is a problem document of one shape, and none repeats what was sent."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from adapters.settings import Settings
from api import errors as api_errors
from api.app import create_app
from api.errors import PROBLEMS, name_of, render
from domain import errors

from .people import Family


def subclasses(kind: type[errors.AfterschoolError]) -> Iterator[type[errors.AfterschoolError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from subclasses(sub)


EVERY_ERROR = sorted(
    {kind for kind in subclasses(errors.AfterschoolError) if kind.__module__ in {errors.__name__, api_errors.__name__}},
    key=lambda kind: kind.__name__,
)


def test_every_error_has_its_row_in_the_table() -> None:
    assert set(EVERY_ERROR) == set(PROBLEMS)


def test_names_are_kebab_case_and_each_is_used_once() -> None:
    names = [name_of(kind) for kind in PROBLEMS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in names)


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_problem_says_what_is_wrong_in_words(kind: type[errors.AfterschoolError]) -> None:
    error = kind(away=["postgres"]) if kind is api_errors.NotReady else kind()

    status, headers, body = render(error, "0af7651916cd43dd8448eb211c80319c")

    problem = httpx.Response(status, content=body).json()
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/problems/{name_of(kind)}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert problem["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert problem["instance"] == "urn:uuid:0af76519-16cd-43dd-8448-eb211c80319c"
    assert ("retry-after" in headers) == (status in {503, 429} or kind is errors.RegistrationInProgress)
    assert ("www-authenticate" in headers) == (status == 401)
    assert ("invalid_token" in headers.get("www-authenticate", "")) == (kind is errors.TokenRefused)


def test_a_broken_field_is_named_with_its_rule() -> None:
    error = errors.InvalidValue(field="occurred_at", reason="at most 30 days old and 5 minutes ahead")

    _, _, body = render(error, "0" * 31 + "1")

    assert httpx.Response(422, content=body).json()["errors"] == [
        {"field": "occurred_at", "rule": "invalid-value", "message": "at most 30 days old and 5 minutes ahead"}
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nowhere", 404, "address-unknown"),
        ("GET", "/progress/", 404, "address-unknown"),
        ("GET", "/progress", 405, "method-not-allowed"),
        ("PUT", "/users/0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d", 405, "method-not-allowed"),
        ("GET", "/progress/0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d", 401, "not-signed-in"),
        ("POST", "/progress", 401, "not-signed-in"),
        ("POST", "/auth/login", 415, "content-type-unsupported"),
        ("GET", "/problems/nonsense", 404, "address-unknown"),
    ],
)
async def test_every_refusal_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, status: int, name: str
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["type"] == f"/problems/{name}"
    assert answer.json()["status"] == status


async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.get("/progress")

    assert answer.headers["allow"] == "POST"
    answer = await client.put("/users/0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d")
    assert answer.headers["allow"] == "DELETE, GET, PATCH"


@pytest.mark.parametrize("kind", EVERY_ERROR)
async def test_the_address_of_a_problems_type_is_a_page_about_it(
    client: httpx.AsyncClient, kind: type[errors.AfterschoolError]
) -> None:
    answer = await client.get(f"/problems/{name_of(kind)}")

    assert answer.status_code == 200
    assert PROBLEMS[kind].title in answer.text


async def test_the_list_of_problems_has_them_all(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems")

    assert all(problem.title in answer.text for problem in PROBLEMS.values())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("canary", False),
    ],
)
async def test_a_problem_bears_the_callers_trace_id_if_it_is_a_valid_one(
    client: httpx.AsyncClient, sent: str, *, kept: bool
) -> None:
    answer = await client.get("/nowhere", headers={"traceparent": sent})

    assert (answer.json()["trace_id"] == "0af7651916cd43dd8448eb211c80319c") is kept
    assert re.fullmatch("[0-9a-f]{32}", answer.json()["trace_id"])


@pytest.fixture
async def broken(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application with routes that fail."""
    app = create_app(settings, registry=CollectorRegistry())
    failures: dict[str, Exception] = {
        "unforeseen": RuntimeError("canary"),
        "lost": asyncpg.ConnectionDoesNotExistError("canary"),
        "slow": asyncpg.QueryCanceledError("canary"),
        "refused-connection": ConnectionRefusedError("canary"),
        "log-broken": errors.LogBroken(found="canary"),
    }
    for name, failure in failures.items():
        app.router.routes.append(Route(f"/{name}", _raising(failure)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client:
        yield client


def _raising(failure: Exception) -> Callable[[Request], Awaitable[Response]]:
    async def fail(_request: Request) -> Response:
        raise failure

    return fail


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/unforeseen", 500, "unexpected-failure"),
        ("/log-broken", 500, "log-broken"),
        ("/lost", 503, "unavailable"),
        ("/slow", 503, "unavailable"),
        ("/refused-connection", 503, "unavailable"),
    ],
)
async def test_a_failure_of_ours_is_answered_and_logged_without_its_message(
    broken: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str, status: int, name: str
) -> None:
    caplog.set_level(logging.DEBUG)

    with capture_logs() as logged:
        answer = await broken.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{name}"
    assert answer.json()["trace_id"] in str(logged)
    assert "canary" not in answer.text + str(logged) + caplog.text
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.parametrize(
    ("method", "path", "problem", "operation"),
    [
        ("POST", "/auth/login?canary=canary", "request-invalid", "Login"),
        ("GET", "/users/canary", "request-invalid", "GetUserProfile"),
        ("GET", "/users/0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d", "not-allowed", "GetUserProfile"),
        ("GET", "/canary", "address-unknown", "none"),
    ],
)
async def test_a_refusal_is_found_in_the_log_by_its_trace_id_and_says_nothing_of_who_asked(  # noqa: PLR0917  pytest passes them by name
    client: httpx.AsyncClient, family: Family, method: str, path: str, problem: str, operation: str
) -> None:
    body = {"email": "canary", "password": "canary", "canary": "canary"} if method == "POST" else None

    with capture_logs() as logged:
        answer = await client.request(method, path, json=body, headers=family.stranger.headers)

    assert logged == [
        {
            "event": "refused",
            "log_level": "info",
            "problem": problem,
            "status": answer.status_code,
            "operation": operation,
            "trace_id": answer.json()["trace_id"],
        }
    ]


async def test_a_page_of_a_listed_origin_may_call(client: httpx.AsyncClient) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}

    preflight = await client.options("/progress", headers=asked)
    answer = await client.get("/health/live", headers={"origin": "https://app.example"})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_page_of_another_origin_is_refused_with_a_problem(client: httpx.AsyncClient) -> None:
    asked = {"origin": "https://canary.example", "access-control-request-method": "POST"}

    preflight = await client.options("/progress", headers=asked)

    assert preflight.status_code == 403
    assert preflight.headers["content-type"] == "application/problem+json"
    assert preflight.json()["type"] == "/problems/origin-not-allowed"
    assert "access-control-allow-origin" not in preflight.headers
    assert "canary" not in preflight.text


async def test_without_docs_nothing_describes_the_api(settings: Settings) -> None:
    app: FastAPI = create_app(settings.model_copy(update={"docs": False}), registry=CollectorRegistry())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client:
        statuses = [(await client.get(path)).status_code for path in ("/docs", "/openapi.json", "/redoc")]

    assert statuses == [404, 404, 404]


async def test_foreign_and_unknown_ids_are_refused_alike(client: httpx.AsyncClient, family: Family) -> None:
    unknown = "0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d"

    for path in ("/progress", "/users"):
        foreign = await client.get(f"{path}/{family.child.id}", headers=family.stranger.headers)
        missing = await client.get(f"{path}/{unknown}", headers=family.stranger.headers)

        assert foreign.status_code == missing.status_code == 403
        assert _without_trace(foreign) == _without_trace(missing)


def _without_trace(answer: httpx.Response) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name not in {"trace_id", "instance"}}
