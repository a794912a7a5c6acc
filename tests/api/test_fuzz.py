"""Fuzz: whatever OpenAPI allows or forbids, every operation keeps its word, on real sockets."""

import asyncio
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from .people import Family, Person, Register

HASHING = {"POST /users", "POST /auth/login"}
"""Operations that make the server hash a password, which takes a while."""
OPERATIONS = (
    *("GET /progress/{student_id}", "POST /progress", "GET /users/{id}", "POST /users", "POST /auth/login"),
    "PATCH /users/{id}",
    *("POST /users/{student_id}/pairing-codes", "POST /guardianships", "GET /guardianships"),
    *("DELETE /guardianships/{id}", "POST /users/{student_id}/consents", "GET /users/{student_id}/consents"),
    *("DELETE /users/{student_id}/consents/{id}", "POST /auth/refresh", "POST /auth/logout"),
    *("GET /health/live", "GET /health/ready"),
    *("POST /assessments/start", "POST /assessments", "GET /assessments", "GET /assessments/{id}"),
    *("GET /users/{id}/export", "GET /users/{id}/access-log", "DELETE /users/{id}"),
)
ENDLESS = "GET /live/{student_id}"
"""Answers for as long as somebody listens: here only what is refused is asked, the rest in `test_live.py`."""
CHANGING = ("POST /auth/logout", "PATCH /users/{id}")
"""Change who sends them, or end their session, so it is someone of their own."""
FEW = pytest.param(30, id="few")
MANY = pytest.param(500, id="many", marks=pytest.mark.long)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("examples", [FEW, MANY])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_the_document_allows_is_answered_as_it_says(
    url: str, family: Family, register: Register, operation: str, examples: int
) -> None:
    person = await register("student") if operation in CHANGING else family.child
    await asyncio.to_thread(fuzz, url, person, operation, GenerationMode.POSITIVE, examples)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("examples", [FEW, MANY])
@pytest.mark.parametrize("operation", [*(name for name in OPERATIONS if "health" not in name), ENDLESS])
async def test_what_the_document_forbids_is_refused(
    url: str, family: Family, register: Register, operation: str, examples: int
) -> None:
    person = await register("student") if operation in CHANGING else family.child
    await asyncio.to_thread(fuzz, url, person, operation, GenerationMode.NEGATIVE, examples)


def test_no_operation_is_left_out(app: FastAPI) -> None:
    documented = {f"{method.upper()} {path}" for path, item in app.openapi()["paths"].items() for method in item}

    assert documented == {*OPERATIONS, ENDLESS}


def fuzz(url: str, person: Person, label: str, mode: GenerationMode, examples: int) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    (operation,) = [found for found in operations if found.label == label]

    @hypothesis_settings(
        max_examples=examples // 3 if label in HASHING else examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            about_oneself(case, person)
        # Not every report that fits the document is acceptable: it may be somebody else's, or of last year.
        case.call_and_validate(
            headers={"Authorization": f"Bearer {person.token}"}, excluded_checks=[positive_data_acceptance]
        )

    check()


def about_oneself(case: schemathesis.Case[Any], person: Person) -> None:
    """Put the caller's own id in a case, for strangers' ids only lead to 403."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = str(person.id)
    if isinstance(case.body, dict) and "student_id" in case.body:
        case.body["student_id"] = str(person.id)
