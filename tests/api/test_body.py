"""Body: whatever comes instead of a body is refused with a problem, stores nothing and is not repeated."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.wiring import Backend
from api.body import check_json
from api.errors import BodyMalformed

from .people import PASSWORD, Family, as_bytes

CANARY = "canary7f3a"
JSON = {"content-type": "application/json"}


@pytest.fixture
def bodies(family: Family, report: dict[str, object]) -> dict[str, dict[str, Any]]:
    """Return an acceptable body for each route that takes one."""
    profile = {"name": "Ada", "grade_level": 4, "learning_preferences": ["visual"], "timezone": "Europe/Berlin"}
    return {
        "/progress": {**report, "occurred_at": None},
        "/users": {"email": "new@family.example", "password": PASSWORD, "role": "student", "profile": profile},
        "/auth/login": {"email": family.child.email, "password": PASSWORD},
        "/auth/refresh": {"refresh_token": "unknown"},
    }


ROUTES = ("/progress", "/users", "/auth/login", "/auth/refresh")


@pytest.fixture
async def nothing_happens(app: FastAPI, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Make sure that the log stays as it is and that neither it nor any logger has seen the canary."""
    backend: Backend = app.state.backend
    caplog.set_level(logging.DEBUG)
    before = await backend.reader.head()
    with capture_logs() as logged:
        yield
    ours = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    assert await backend.reader.head() == before
    assert CANARY not in str(logged) + str(ours)


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert CANARY not in answer.text + str(answer.headers)


NOT_JSON = {
    "empty": b"",
    "blank": b"  ",
    "half": b'{"a":',
    "trailing": b'{"a":1} x',
    "two": b"{}{}",
    "single quotes": b"{'a':1}",
    "comment": b'{"a":1 /* one */}',
    "NaN": b'{"score":NaN}',
    "Infinity": b'{"score":Infinity}',
    "-Infinity": b'{"score":-Infinity}',
    "leading zero": b'{"score":01}',
    "plus": b'{"score":+1}',
    "duplicate name": b'{"email":"a@b.de","email":"c@d.de"}',
    "duplicate name deeper": b'{"profile":{"name":"a","name":"b"}}',
    "duplicate name spelt twice": b'{"email":"a@b.de","\\u0065mail":"c@d.de"}',
    "lone surrogate": b'{"subject":"\\ud800"}',
    "lone low surrogate": b'{"subject":"\\udc00"}',
    "surrogate as a name": b'{"\\ud800":1}',
    "surrogate in bytes": b'{"subject":"\xed\xa0\x80"}',
    "not UTF-8": b'{"subject":"\xff"}',
    "latin 1": '{"subject":"Brüche"}'.encode("latin-1"),
    "UTF-16": '{"subject":"a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"subject":"a"}',
    "overlong NUL": b'{"subject":"\xc0\x80"}',
    "bare control character": b'{"subject":"a\x00b"}',
    "65 levels": b"[" * 65 + b"]" * 65,
    "65 levels of objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "100,000 levels": b"[" * 100_000,
    "31 digits": b'{"time_spent":' + b"1" * 31 + b"}",
    "31 decimals": b'{"score":0.' + b"1" * 29 + b"}",
    "100,000 digits": b'{"time_spent":' + b"1" * 100_000 + b"}",
}


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, family: Family, path: str, raw: bytes) -> None:
    answer = await client.post(path, content=raw, headers={**family.child.headers, **JSON})

    assert_refused(answer, 400)
    assert answer.json()["type"] == "/problems/body-malformed"


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("raw", [b"null", b"1", b'"canary7f3a"', b"[]", b"true", b"[" * 64 + b"]" * 64, b"{}"])
async def test_json_that_is_no_such_object_is_refused(
    client: httpx.AsyncClient, family: Family, path: str, raw: bytes
) -> None:
    answer = await client.post(path, content=raw, headers={**family.child.headers, **JSON})

    assert_refused(answer, 422)
    assert answer.json()["errors"]


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=latin-1",
        "application/jsonp",
        f"x/{CANARY}",
    ],
)
async def test_another_content_type_is_refused(
    client: httpx.AsyncClient, family: Family, bodies: dict[str, dict[str, Any]], path: str, content_type: str | None
) -> None:
    headers = family.child.headers | ({} if content_type is None else {"content-type": content_type})

    answer = await client.post(path, content=json.dumps(bodies[path]).encode(), headers=headers)

    assert_refused(answer, 415)


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused(
    client: httpx.AsyncClient, family: Family, path: str, *, announced: bool
) -> None:
    raw = b'{"subject":"' + b"x" * 10_000_000 + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        yield raw

    answer = await client.post(path, content=raw if announced else chunks(), headers={**family.child.headers, **JSON})

    assert_refused(answer, 413)


@pytest.mark.parametrize("announced", ["", "-1", "1e3", "²", "0x10", "9" * 5000])
async def test_a_length_that_is_no_number_breaks_nothing(client: httpx.AsyncClient, announced: str) -> None:
    headers = as_bytes({**JSON, "content-length": announced})

    answer = await client.post("/auth/refresh", content=b"{}", headers=headers)

    assert_refused(answer, 413 if announced.startswith("9") else 422)


async def test_a_body_as_large_as_allowed_is_read(client: httpx.AsyncClient) -> None:
    raw = b'{"refresh_token":"a"' + b" " * (262_144 - 21) + b"}"

    answer = await client.post("/auth/refresh", content=raw, headers=JSON)

    assert len(raw) == 262_144
    assert answer.json()["type"] == "/problems/credentials-wrong"


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
        "consent",
    ),
    *("consent_id", "version", "position", "created_at", "updated_at", "recorded_at", "source", "graded", "mastery"),
    *("is_correct", "correct_answer", "explanation", "hints", "on_behalf_of", "command_id", "event_id", "subject_id"),
    *("app_metadata", "user_metadata", "aud", "iss", "sub", "session_id", "exp", "email_verified", "__proto__", CANARY),
)


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
        {"field": "", "rule": "extra-forbidden", "message": "has a field that is not known here"}
    ]


async def test_errors_name_the_path_of_each_broken_field(client: httpx.AsyncClient, bodies: dict[str, Any]) -> None:
    body = bodies["/users"]
    body["role"] = "admin"
    body["profile"] |= {"grade_level": 9, "learning_preferences": ["visual", ""]}

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


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=60,
)


@given(json_values)
def test_json_as_others_write_it_passes(value: object) -> None:
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False, indent=1).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_malformed_and_nothing_else(raw: bytes) -> None:
    try:
        check_json(raw)
    except BodyMalformed:
        return
    json.loads(raw)


def test_brackets_inside_texts_do_not_count_as_levels() -> None:
    check_json(json.dumps({"topic": "[{" * 500 + '\\"'}).encode())
    check_json(b"[" + b"[]," * 500 + b"{}]")
