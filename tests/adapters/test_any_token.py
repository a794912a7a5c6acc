"""Anything at all as an access token: never an error other than the refusal."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from domain.errors import IdentityUnavailable, TokenRefused
from tests.adapters.provider import Clock, Desk, a_token, a_verifier, claims, part, sign

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from([*claims(), "nbf", "alg", "kid", "typ", "crit", "jku", "jwk"])
ANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.lists(st.binary().map(part)).map(".".join))
async def test_no_text_raises_anything_but_the_refusal(desk: Desk, token: str) -> None:
    assert await desk.refuses(token)


@ANY
@given(header=junk | st.dictionaries(names, junk), payload=junk | st.dictionaries(names, junk))
async def test_no_signed_structure_raises_anything_but_the_refusal(desk: Desk, header: object, payload: object) -> None:
    token = sign(json.dumps(header).encode(), json.dumps(payload).encode())

    assert await desk.refuses(token)


@ANY
@given(changed=st.dictionaries(names, junk, min_size=1))
async def test_changed_claims_are_refused_or_say_exactly_what_they_say(desk: Desk, changed: dict[str, object]) -> None:
    sent = claims(**changed)
    try:
        read = await desk.verifier.verify(a_token(sent))
    except TokenRefused:
        return

    assert (str(read.user_id), str(read.session_id), read.expires_at) == (sent["sub"], sent["session_id"], sent["exp"])


@ANY
@given(raw=st.binary(max_size=400))
async def test_no_signed_bytes_raise_anything_but_the_refusal(desk: Desk, raw: bytes) -> None:
    assert await desk.refuses(sign(b'{"alg":"ES256","kid":"ec"}', raw))
    assert await desk.refuses(sign(raw, json.dumps(claims()).encode()))


@ANY
@given(junk)
async def test_no_answer_of_the_provider_raises_anything_unforeseen(desk: Desk, entry: object) -> None:
    clock = Clock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(desk.provider.app)) as http:
        desk.provider.answer = Response(json.dumps({"keys": [entry]}).encode())

        with pytest.raises((TokenRefused, IdentityUnavailable)):
            await a_verifier(http, clock).verify(a_token())
