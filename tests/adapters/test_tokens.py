"""Access tokens: what is accepted, and that everything else is the same refusal."""

import hmac
import json
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from adapters.tokens import Claims
from tests.adapters.provider import (
    AUDIENCE,
    EC,
    ISSUER,
    JWKS,
    NOW,
    OTHER_EC,
    RSA,
    SESSION,
    USER,
    Desk,
    a_token,
    claims,
    part,
    published,
    sign,
    with_payload,
)


async def test_a_good_token_says_whose_it_is_which_session_and_until_when(desk: Desk) -> None:
    assert await desk.verifier.verify(a_token()) == Claims(USER, SESSION, NOW + 3600, NOW)


@pytest.mark.parametrize(
    ("amr", "began_at"),
    [
        ([{"method": "password", "timestamp": NOW - 7200}, {"method": "totp", "timestamp": NOW - 60}], NOW - 7200),
        ([{"method": "password", "timestamp": 10**30}], NOW),
        ([{"method": "password", "timestamp": "yesterday"}, {"timestamp": True}, "password", None], NOW),
        (["password"], NOW),
        ("password", NOW),
        (None, NOW),
    ],
)
async def test_a_session_is_as_old_as_its_first_authentication_or_else_as_its_token(
    desk: Desk, amr: object, began_at: int
) -> None:
    assert (await desk.verifier.verify(a_token(claims(amr=amr)))).began_at == began_at


async def test_a_token_that_another_library_signed_is_accepted(desk: Desk) -> None:
    token = jwt.encode(claims(), EC, "ES256", {"kid": "ec"})

    assert await desk.accepts(token)


async def test_rsa_keys_of_2048_bits_are_accepted(desk: Desk) -> None:
    assert await desk.accepts(a_token(key=RSA, kid="rsa", alg="RS256"))


async def test_our_audience_may_be_one_of_several(desk: Desk) -> None:
    assert await desk.accepts(a_token(claims(aud=["others", AUDIENCE])))


# The claims.


@pytest.mark.parametrize("name", ["exp", "iat", "aud", "iss", "sub", "session_id"])
async def test_a_token_without_a_required_claim_is_refused(desk: Desk, name: str) -> None:
    assert await desk.refuses(a_token(claims(**{name: ...})))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    ["1800003600", 1800003600.0, True, None, [1800003600], {}, -1, 253_402_300_800, 2**63, 10**30, float("inf")],
    ids=str,
)
async def test_a_moment_that_is_no_sane_integer_is_refused(desk: Desk, name: str, value: object) -> None:
    assert await desk.refuses(a_token(claims(**{name: value})))


@pytest.mark.parametrize("name", ["sub", "session_id"])
@pytest.mark.parametrize(
    "value",
    ["", "ada", USER.hex, f"{{{USER}}}", f"urn:uuid:{USER}", f"{USER} ", 7, None, [str(USER)]],
    ids=str,
)
async def test_an_id_that_is_no_uuid_is_refused(desk: Desk, name: str, value: object) -> None:
    assert await desk.refuses(a_token(claims(**{name: value})))


@pytest.mark.parametrize(
    "value", ["others", "", [], ["others"], [AUDIENCE, 7], [[AUDIENCE]], {AUDIENCE: 1}, None, True]
)
async def test_another_audience_is_refused(desk: Desk, value: object) -> None:
    assert await desk.refuses(a_token(claims(aud=value)))


@pytest.mark.parametrize("value", ["http://elsewhere.test", f"{ISSUER}/", "", None, [ISSUER]])
async def test_another_issuer_is_refused(desk: Desk, value: object) -> None:
    assert await desk.refuses(a_token(claims(iss=value)))


async def test_a_token_ends_ten_seconds_after_its_time(desk: Desk) -> None:
    token = a_token(claims(exp=NOW + 60))

    desk.clock.now = NOW + 69.9
    assert await desk.accepts(token)
    desk.clock.now = NOW + 70
    assert await desk.refuses(token)


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_a_token_from_the_future_is_refused_beyond_ten_seconds(desk: Desk, name: str) -> None:
    assert await desk.accepts(a_token(claims(**{name: NOW + 10})))
    assert await desk.refuses(a_token(claims(**{name: NOW + 11})))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(claims())[:-1] + f', "sub": "{uuid4()}"}}',
        json.dumps(claims())[:-1] + ', "user_metadata": {"a": 1, "a": 2}}',
        json.dumps(claims())[:-1] + ', "x": NaN}',
        json.dumps(claims()) + " x",
        json.dumps([claims()]),
        json.dumps(json.dumps(claims())),
        "",
        "null",
        "[" * 4000,
        '{"exp": ' + "9" * 5000 + "}",
    ],
)
async def test_a_payload_that_is_not_one_strict_json_object_is_refused(desk: Desk, text: str) -> None:
    assert await desk.refuses(with_payload(text))


async def test_a_payload_that_is_not_utf_8_is_refused(desk: Desk) -> None:
    assert await desk.refuses(sign(b'{"alg":"ES256","kid":"ec"}', json.dumps(claims()).encode("utf-16")))


# The header, and the choice of the key.


@pytest.mark.parametrize("name", ["crit", "jku", "jwk", "x5u", "x5c"])
async def test_a_header_that_would_steer_the_check_is_refused(desk: Desk, name: str) -> None:
    value: object = {
        "crit": ["exp"],
        "jku": "http://evil.test/jwks.json",
        "x5u": "http://evil.test/cert.pem",
        "jwk": published(OTHER_EC, "ec"),
        "x5c": ["MIIB"],
    }[name]

    header = json.dumps({"alg": "ES256", "kid": "ec", name: value})

    assert await desk.refuses(sign(header.encode(), json.dumps(claims()).encode()))
    assert not [url for url in desk.provider.asked if url != JWKS]


async def test_an_embedded_key_is_never_used(desk: Desk) -> None:
    assert await desk.refuses(a_token(key=OTHER_EC, jwk=published(OTHER_EC, "ec")))


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "HS512", "RS256", "ES384", "PS256", "es256", "", None, ...]
)
async def test_another_algorithm_than_the_keys_is_refused(desk: Desk, algorithm: object) -> None:
    assert await desk.refuses(a_token(alg=algorithm))


async def test_an_unsigned_token_is_refused(desk: Desk) -> None:
    header, payload, _ = a_token(alg="none").split(".")

    assert await desk.refuses(f"{header}.{payload}.")
    assert await desk.refuses(f"{header}.{payload}")


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
async def test_a_public_key_used_as_an_hmac_secret_is_refused(desk: Desk, encoding: serialization.Encoding) -> None:
    secret = EC.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = ".".join([part(b'{"alg":"HS256","kid":"ec"}'), part(json.dumps(claims()).encode())])
    signature = hmac.digest(secret, signed.encode(), "sha256")

    assert await desk.refuses(f"{signed}.{part(signature)}")


@pytest.mark.parametrize("kid", [..., None, "", 7, ["ec"], "unknown", "e" * 257])
async def test_a_token_that_names_no_known_key_is_refused(desk: Desk, kid: object) -> None:
    assert await desk.refuses(a_token(kid=kid))


async def test_a_token_is_checked_by_the_key_it_names_and_by_no_other(desk: Desk) -> None:
    desk.provider.keys = [published(EC, "ec"), published(OTHER_EC, "other")]

    assert await desk.accepts(a_token(key=OTHER_EC, kid="other"))
    assert await desk.refuses(a_token(key=OTHER_EC, kid="ec"))


async def test_a_header_with_a_name_twice_is_refused(desk: Desk) -> None:
    assert await desk.refuses(sign(b'{"alg":"ES256","kid":"ec","kid":"ec"}', json.dumps(claims()).encode()))


# The form.


async def test_padding_spaces_and_foreign_letters_are_refused(desk: Desk) -> None:
    header, payload, signature = a_token().split(".")

    for broken in (
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload}==.{signature}",
        f"{header}.{payload}.{signature}=",
        f" {header}.{payload}.{signature}",
        f"{header}.{payload}.{signature}\n",
        f"{header}.{payload}.{signature[:-1]}+",
        f"{header}.{payload[:4]} {payload[4:]}.{signature}",
        f"{header}.{payload}é.{signature}",
    ):
        assert await desk.refuses(broken)


async def test_a_second_spelling_of_the_same_signature_is_refused(desk: Desk) -> None:
    # 64 bytes take 86 letters, and the last letter has 4 bits to spare: 16 spellings decode alike.
    token = a_token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]

    assert await desk.accepts(token)
    assert await desk.refuses(twin)


@pytest.mark.parametrize("parts", [0, 1, 2, 4, 5])
async def test_a_token_has_exactly_three_parts(desk: Desk, parts: int) -> None:
    header, payload, signature = a_token().split(".")

    assert await desk.refuses(".".join([header, payload, signature, payload, signature][:parts]))


async def test_a_token_of_more_than_8192_characters_is_refused(desk: Desk) -> None:
    spare = 8192 - len(a_token(claims(pad="")))
    fits = a_token(claims(pad="x" * (spare * 3 // 4 - 2)))
    too_long = a_token(claims(pad="x" * (spare * 3 // 4 + 4)))

    assert len(fits) <= 8192 < len(too_long)
    assert await desk.accepts(fits)
    assert await desk.refuses(too_long)


async def test_a_changed_payload_is_refused(desk: Desk) -> None:
    header, _, signature = a_token().split(".")

    assert await desk.refuses(f"{header}.{part(json.dumps(claims(sub=str(uuid4()))).encode())}.{signature}")
