"""Fields: no wrong value in any field of any body is stored, repeated or breaks anything."""

import json
from typing import Any

import httpx
import pytest

from .people import Family
from .refusals import CANARY, JSON, ROUTES, assert_refused

UGLY = (f" {CANARY}", f"{CANARY}\x00", f"{CANARY}\x1b[31m", f"{CANARY}\u202e", f"\ufeff{CANARY}", CANARY * 500, "")
Values = tuple[object, ...]
NO_TEXT: Values = (1.5, -1, True, None, [], [CANARY], {}, {CANARY: CANARY})
NO_NUMBER: Values = (CANARY, "", "5", "87.5", True, None, [], [5], {}, {CANARY: 5}, -1, -0.001, 10**29, 1e300)
NO_TRUTH: Values = (CANARY, "true", "", 1, 0, None, [], [True], {})
NO_ID = (CANARY, "", "0" * 36, "0b7d7b1e1f0a4a539c3e6a4f6b1a2c3d", "{0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d}", *NO_TEXT)
NO_MOMENT: Values = (CANARY, "2026-01-01", "1999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1.8e9, True, [])

WRONG: dict[str, dict[str, Values]] = {
    "/progress": {
        "student_id": NO_ID,
        "subject": (*UGLY, *NO_TEXT, "x" * 65),
        "topic": (*UGLY, *NO_TEXT, "x" * 129),
        "score": (*NO_NUMBER, 100.01, 33.333),
        "time_spent": (*NO_NUMBER, 1.5, 86_401),
        "completed": NO_TRUTH,
        "occurred_at": NO_MOMENT,
    },
    "/users": {
        "email": (*UGLY, *NO_TEXT, CANARY, f"{CANARY}@", f"@{CANARY}.de", f"{CANARY}@x@y.de"),
        "password": (*NO_TEXT, f"{CANARY}\x00", CANARY * 200, "", "short"),
        "role": (*UGLY, *NO_TEXT, CANARY, "admin", "Parent"),
        "profile": (*UGLY, *NO_TEXT, CANARY),
        "profile.name": (*UGLY, *NO_TEXT, "x" * 129),
        "profile.grade_level": (*NO_NUMBER, 1.5, 9),
        "profile.learning_preferences": (CANARY, 1, True, None, {}, [""], [1], [None], [[CANARY]], [CANARY] * 33),
        "profile.timezone": (*UGLY, *NO_TEXT, CANARY, "Mars/Olympus", "../../etc/passwd", "europe/berlin"),
    },
    "/auth/login": {
        "email": (*UGLY, *NO_TEXT, CANARY, f"{CANARY}@x.de"),
        "password": (*NO_TEXT, f"{CANARY}\x00", CANARY * 200, "", CANARY),
    },
    "/auth/refresh": {"refresh_token": (*NO_TEXT, f"{CANARY}\x00", CANARY * 200, "", CANARY)},
}


OPTIONAL = [("profile.grade_level", None)]
"""What looks wrong and is not: a parent has no grade."""


def with_value(body: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    name, _, rest = field.partition(".")
    return {**body, name: with_value(body[name], rest, value) if rest else value}


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in WRONG.items() for field in fields])
async def test_a_wrong_value_is_refused_in_every_field(
    client: httpx.AsyncClient, family: Family, bodies: dict[str, dict[str, Any]], path: str, field: str
) -> None:
    sender = family.parent if path == "/users" else family.child
    for wrong in WRONG[path][field]:
        if (field, wrong) in OPTIONAL:
            continue
        raw = json.dumps(with_value(bodies[path], field, wrong)).encode()

        answer = await client.post(path, content=raw, headers={**sender.headers, **JSON})

        assert_refused(answer, 422, 403 if field == "student_id" else 401 if path.startswith("/auth") else 422)


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
async def test_every_field_but_the_optional_ones_is_required(
    client: httpx.AsyncClient, family: Family, bodies: dict[str, dict[str, Any]], path: str
) -> None:
    for field in set(bodies[path]) - {"occurred_at"}:
        body = {name: value for name, value in bodies[path].items() if name != field}

        answer = await client.post(path, json=body, headers=family.child.headers)

        assert_refused(answer, 422)
        assert answer.json()["errors"] == [{"field": field, "rule": "missing", "message": "is required"}]


FOREIGN = (
    *(
        "id",
        "user_id",
        "actor",
        "role",
        "roles",
        "admin",
        "is_admin",
        "parent_id",
        "guardian_id",
        "children",
        "consents",
    ),
    *("consent_id", "version", "position", "created_at", "updated_at", "recorded_at", "source", "graded", "mastery"),
    *("is_correct", "correct_answer", "explanation", "hints", "on_behalf_of", "command_id", "event_id", "subject_id"),
    *("app_metadata", "user_metadata", "aud", "iss", "sub", "session_id", "exp", "email_verified", "__proto__", CANARY),
)


KNOWN = {
    "/progress": "student_id, subject, topic, score, time_spent, completed, occurred_at",
    "/users": "email, password, role, profile, consent",
    "/auth/login": "email, password",
    "/auth/refresh": "refresh_token",
}


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", FOREIGN)
async def test_a_field_that_is_not_known_is_refused_and_its_name_not_repeated(
    client: httpx.AsyncClient, family: Family, bodies: dict[str, dict[str, Any]], path: str, name: str
) -> None:
    if name in bodies[path]:
        name = f"{name}{CANARY}"

    answer = await client.post(path, json={**bodies[path], name: CANARY}, headers=family.child.headers)

    assert_refused(answer, 422)
    assert answer.json()["errors"] == [
        {
            "field": "",
            "rule": "extra-forbidden",
            "message": f"has a field that is not known here; known are: {KNOWN[path]}",
        }
    ]


@pytest.mark.parametrize(
    ("inner", "known"),
    [("profile", "name, grade_level, learning_preferences, timezone"), ("consent", "policy_version, scopes, country")],
)
async def test_an_unknown_field_of_an_inner_object_is_told_that_objects_fields(
    client: httpx.AsyncClient, bodies: dict[str, Any], inner: str, known: str
) -> None:
    terms = {"policy_version": "2026-1", "scopes": ["learning"], "country": "IT"}
    bodies = bodies | {"/users": bodies["/users"] | {"consent": terms}}
    answer = await client.post("/users", json=with_value(bodies["/users"], f"{inner}.{CANARY}", 1))

    assert_refused(answer, 422)
    assert answer.json()["errors"] == [
        {
            "field": inner,
            "rule": "extra-forbidden",
            "message": f"has a field that is not known here; known are: {known}",
        }
    ]


@pytest.mark.parametrize(
    ("path", "field", "value", "words"),
    [
        ("/progress", "score", None, "should be a number"),
        ("/progress", "score", "5", "should be a number"),
        ("/progress", "time_spent", None, "should be a whole number"),
        ("/progress", "time_spent", 1.5, "should be a whole number"),
        ("/progress", "topic", "", "should not be empty"),
        ("/users", "password", "", "should not be empty"),
        ("/users", "profile.name", "", "should not be empty"),
        ("/users", "email", "ada.example.org", "should look like name@example.org"),
        ("/auth/login", "email", "", "should look like name@example.org"),
    ],
)
async def test_a_rule_is_told_in_words_that_help(  # noqa: PLR0917  pytest passes them by name
    client: httpx.AsyncClient, family: Family, bodies: dict[str, Any], path: str, field: str, value: object, words: str
) -> None:
    headers = family.child.headers if path == "/progress" else {}

    answer = await client.post(path, json=with_value(bodies[path], field, value), headers=headers)

    assert [(error["field"], error["message"]) for error in answer.json()["errors"]] == [(field, words)]


async def test_errors_name_the_path_of_each_broken_field(client: httpx.AsyncClient, bodies: dict[str, Any]) -> None:
    body = bodies["/users"]
    body["role"] = "admin"
    body["profile"] |= {"grade_level": 9, "learning_preferences": ["visual", " "]}

    answer = await client.post("/users", json=body)

    assert answer.json()["errors"] == [
        {"field": "role", "rule": "literal-error", "message": "should be 'parent' or 'student'"},
        {"field": "profile.grade_level", "rule": "less-than-equal", "message": "should be at most 8"},
        {
            "field": "profile.learning_preferences.1",
            "rule": "string-pattern-mismatch",
            "message": "has characters, or outer blanks, that it may not have",
        },
    ]


async def test_an_answer_lists_twenty_errors_at_most(client: httpx.AsyncClient) -> None:
    body = {f"{CANARY}{n}": n for n in range(5000)}

    answer = await client.post("/auth/login", json=body)

    assert len(answer.json()["errors"]) == 20
