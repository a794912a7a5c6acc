"""OpenAPI: what the document shows can be sent as it stands, and it names the headers of the answers."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.models import Model
from api.routes.auth import Credentials, Refreshing
from api.routes.progress import ProgressReport
from api.routes.users import UserRegistration

from .people import Family


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    return (await client.get("/openapi.json")).json()  # type: ignore[no-any-return]  # JSON


def example_of(document: dict[str, Any], path: str) -> dict[str, Any]:
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    shown = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return dict(shown["examples"][0])


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/users", UserRegistration),
        ("/progress", ProgressReport),
        ("/auth/login", Credentials),
        ("/auth/refresh", Refreshing),
    ],
)
async def test_every_example_of_a_request_fits_its_model(
    client: httpx.AsyncClient, document: dict[str, Any], path: str, model: type[Model]
) -> None:
    shown = example_of(document, path)

    answer = await client.post(path, json=shown)

    assert model.model_validate_json(httpx.Response(200, json=shown).content)
    assert answer.status_code != 422


async def test_the_examples_register_a_parent_and_record_a_students_progress(
    client: httpx.AsyncClient, family: Family, document: dict[str, Any]
) -> None:
    parent = example_of(document, "/users") | {"email": f"{uuid4().hex}@family.example"}
    report = example_of(document, "/progress") | {"student_id": str(family.child.id)}

    registered = await client.post("/users", json=parent)
    recorded = await client.post("/progress", json=report, headers=family.child.headers)

    assert [registered.status_code, recorded.status_code] == [201, 201]


@pytest.mark.parametrize(
    ("path", "method", "status", "headers"),
    [
        ("/users", "post", "201", {"ETag", "Event-Position", "Location"}),
        ("/users/{id}", "get", "200", {"ETag"}),
        ("/users/{id}", "patch", "200", {"ETag", "Event-Position"}),
        ("/progress", "post", "201", {"Event-Position"}),
        ("/progress/{student_id}", "get", "200", {"Stale-By"}),
    ],
)
async def test_the_headers_of_answers_are_described(
    document: dict[str, Any], path: str, method: str, status: str, headers: set[str]
) -> None:
    answer = document["paths"][path][method]["responses"][status]

    assert set(answer["headers"]) == headers
    assert answer["content"]["application/json"]["schema"]
