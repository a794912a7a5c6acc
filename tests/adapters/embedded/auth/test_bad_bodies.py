"""Bodies that nobody should send: refused, and never an error of the server's."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.embedded.auth.calls import ADMIN, USER, Json


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"email": "\xff"}',
        b'{"email": "\\ud800", "password": "xxxxxxxx"}',
        b"[" * 60_000,
        b'{"user_metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b', "email": "a@b.org"}',
        b'{"email": "a@b.org", "user_metadata": {"x": NaN}}',
        b'{"email": "a@b.org", "user_metadata": {"x": 1e999}}',
    ],
)
@pytest.mark.parametrize("path", ["/token?grant_type=password", "/token?grant_type=refresh_token", "/admin/users"])
async def test_a_body_that_makes_no_sense_is_refused(http: httpx.AsyncClient, path: str, raw: bytes) -> None:
    answer = await http.post(path, headers=ADMIN, content=raw)

    assert 400 <= answer.status_code < 500


async def test_deep_and_large_metadata_come_back_or_are_refused(http: httpx.AsyncClient) -> None:
    for depth in (50, 150, 190, 250):
        raw = b'{"email": "d%d@b.org", "user_metadata": {"a":' % depth + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"
        answer = await http.post("/admin/users", headers=ADMIN, content=raw)
        assert answer.status_code in {200, 400}
        assert (await http.get("/admin/users", headers=ADMIN)).status_code == 200


async def test_a_body_beyond_64_kib_is_refused_while_it_arrives(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 1024
            yield b" " * 1024

    answer = await http.post("/token?grant_type=password", headers=USER, content=endless())

    assert answer.status_code == 413
    assert sent < 100_000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    ["email", "phone", "password", "refresh_token", "id", "role", "user_metadata", "app_metadata", "ban_duration"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(members, values), target=st.sampled_from(["POST /token", "POST /admin/users", "PUT"]))
async def test_no_body_makes_the_stand_in_fail(http: httpx.AsyncClient, body: Json, target: str) -> None:
    method, _, path = target.partition(" ")
    answer = await http.request(
        method,
        path or f"/admin/users/{uuid4()}",
        params={"grant_type": "password"},
        headers=ADMIN,
        content=json.dumps(body).encode(),
    )

    assert answer.status_code < 500
