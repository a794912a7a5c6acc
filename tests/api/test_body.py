"""Body: whatever comes instead of a body is refused with a problem, stores nothing and is not repeated."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.body import check_json
from api.errors import BodyMalformed

from .people import Family, as_bytes
from .refusals import CANARY, JSON, ROUTES, assert_refused

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
