"""The provider's keys: which of them may verify, how long they are kept, and what happens when it is away."""

import asyncio

import httpx
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from adapters.embedded.loopback import free_port
from domain.errors import IdentityUnavailable
from tests.adapters.provider import (
    EC,
    JWKS,
    NOW,
    OTHER_EC,
    P384,
    RSA,
    SMALL_RSA,
    Clock,
    Desk,
    Json,
    a_token,
    a_verifier,
    published,
)


@pytest.mark.parametrize(
    "entry",
    [
        published(EC, "k", use="enc"),
        published(EC, "k", key_ops=["sign"]),
        published(EC, "k", key_ops="verify"),
        published(EC, "k", alg=None),
        published(EC, "k", alg="ES384"),
        published(EC, "k", alg="HS256"),
        published(EC, "k", kty="RSA"),
        published(EC, "k", kty="oct", k="c2VjcmV0"),
        published(EC, "k", crv="P-384"),
        published(EC, "k", x="AAAA"),
        published(EC, "k", x=None),
        published(EC, "k", x=7),
        published(EC, "k", d="c2VjcmV0"),
    ],
)
async def test_a_published_key_that_is_not_for_verifying_with_es256_is_not_used(desk: Desk, entry: Json) -> None:
    desk.provider.keys = [entry, published(EC, "ec")]

    assert await desk.refuses(a_token(kid="k"))
    assert await desk.accepts(a_token())


async def test_a_published_key_without_a_stated_use_may_verify(desk: Desk) -> None:
    desk.provider.keys = [published(EC, "ec", use=None, key_ops=None)]

    assert await desk.accepts(a_token())


async def test_rsa_keys_below_2048_bits_are_not_used(desk: Desk) -> None:
    desk.provider.keys = [published(SMALL_RSA, "small")]

    assert await desk.refuses(a_token(key=SMALL_RSA, kid="small", alg="RS256"))


async def test_a_p384_key_is_not_used(desk: Desk) -> None:
    desk.provider.keys = [published(P384, "p384")]

    assert await desk.refuses(a_token(key=P384, kid="p384"))


async def test_an_id_that_two_published_keys_bear_is_nobodys(desk: Desk) -> None:
    desk.provider.keys = [published(EC, "ec"), published(OTHER_EC, "ec"), published(RSA, "rsa")]

    assert await desk.refuses(a_token())
    assert await desk.refuses(a_token(key=OTHER_EC))
    assert await desk.accepts(a_token(key=RSA, kid="rsa", alg="RS256"))


async def test_keys_are_fetched_once_and_used_again(desk: Desk) -> None:
    for _ in range(5):
        assert await desk.accepts(a_token())

    assert desk.provider.asked == [JWKS]


async def test_many_who_come_at_once_wait_for_one_fetch(desk: Desk) -> None:
    assert all(await asyncio.gather(*(desk.accepts(a_token()) for _ in range(20))))

    assert desk.provider.asked == [JWKS]


async def test_one_who_stops_waiting_does_not_stop_the_fetch(desk: Desk) -> None:
    desk.provider.opened.clear()
    hasty, patient = [asyncio.create_task(desk.accepts(a_token())) for _ in range(2)]
    await desk.provider.reached.wait()

    hasty.cancel()
    desk.provider.opened.set()

    assert await patient
    assert desk.provider.asked == [JWKS]


async def test_a_new_key_is_accepted_at_once(desk: Desk) -> None:
    assert await desk.accepts(a_token())
    desk.provider.keys.append(published(OTHER_EC, "new"))

    assert await desk.accepts(a_token(key=OTHER_EC, kid="new"))


async def test_unknown_key_ids_cause_one_fetch_in_thirty_seconds(desk: Desk) -> None:
    assert await desk.accepts(a_token())

    for second in range(30):
        desk.clock.now = NOW + second
        assert await desk.refuses(a_token(kid=f"unknown-{second}"))
    assert len(desk.provider.asked) == 2

    desk.clock.now = NOW + 30
    assert await desk.refuses(a_token(kid="unknown"))
    assert len(desk.provider.asked) == 3


async def test_a_key_taken_away_is_refused_within_ten_minutes(desk: Desk) -> None:
    assert await desk.accepts(a_token())
    desk.provider.keys = [published(OTHER_EC, "other")]

    desk.clock.now = NOW + 600
    assert await desk.refuses(a_token())


async def test_a_clock_set_back_does_not_keep_old_keys_alive(desk: Desk) -> None:
    assert await desk.accepts(a_token())
    desk.provider.keys = [published(OTHER_EC, "other")]

    desk.clock.now = NOW - 5
    assert await desk.refuses(a_token())


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=503),
        JSONResponse({"keys": []}, 404),
        RedirectResponse("http://evil.test/jwks.json"),
        Response(b"<html>", media_type="text/html"),
        Response(b"[]"),
        Response(b'{"keys": {}}'),
        Response(b'{"keys": [], "keys": []}'),
        Response(b"[" * 60_000),
        Response(b'{"keys": ["' + b"x" * 70_000 + b'"]}'),
    ],
)
async def test_the_last_good_keys_go_on_while_the_provider_is_away(desk: Desk, answer: Response) -> None:
    assert await desk.accepts(a_token())
    desk.provider.answer = answer

    desk.clock.now = NOW + 1000
    assert await desk.accepts(a_token())
    assert await desk.refuses(a_token(key=OTHER_EC))
    assert set(desk.provider.asked) == {JWKS}


async def test_a_provider_that_is_away_is_asked_once_in_thirty_seconds(desk: Desk) -> None:
    assert await desk.accepts(a_token())
    desk.provider.answer = Response(status_code=503)

    for second in range(30):
        desk.clock.now = NOW + 1000 + second
        assert await desk.accepts(a_token())

    assert len(desk.provider.asked) == 2


async def test_without_any_keys_ever_the_provider_is_unavailable_and_then_recovers(desk: Desk) -> None:
    desk.provider.answer = Response(status_code=503)
    with pytest.raises(IdentityUnavailable):
        await desk.verifier.verify(a_token())

    desk.provider.answer = None
    desk.clock.now = NOW + 1
    assert await desk.accepts(a_token())


async def test_a_provider_that_nobody_answers_for_is_unavailable() -> None:
    async with httpx.AsyncClient() as http:
        verifier = a_verifier(http, Clock(), f"http://127.0.0.1:{free_port()}/jwks.json")

        with pytest.raises(IdentityUnavailable):
            await verifier.verify(a_token())


async def test_a_provider_without_any_keys_refuses_every_token(desk: Desk) -> None:
    desk.provider.keys = []

    assert await desk.refuses(a_token())
