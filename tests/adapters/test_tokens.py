"""Access tokens: what is accepted, and that everything else is the same refusal."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from adapters.embedded.loopback import free_port
from adapters.tokens import Claims, TokenVerifier
from domain.errors import IdentityUnavailable, TokenRefused

ISSUER = "http://provider.test/auth/v1"
AUDIENCE = "authenticated"
JWKS = f"{ISSUER}/.well-known/jwks.json"
NOW = 1_800_000_000
USER, SESSION = UUID("7f2d5f0e-3f0a-4c2b-9a55-0f6e2f1f7a11"), UUID("0b1c2d3e-4f50-4617-8899-aabbccddeeff")

Json = dict[str, object]

EC = ec.generate_private_key(ec.SECP256R1())
OTHER_EC = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
SMALL_RSA = rsa.generate_private_key(65537, 1024)  # noqa: S505  too small on purpose


def published(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, kid: str, **changed: object) -> Json:
    """Return a public key as the provider would publish it; a change to None takes a member away."""
    if isinstance(private, rsa.RSAPrivateKey):
        entry = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"alg": "RS256"}
    else:
        entry = ECAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"alg": "ES256"}
    entry |= {"kid": kid, "use": "sig", "key_ops": ["verify"], **changed}
    return {name: value for name, value in entry.items() if value is not None}


@dataclass
class Provider:
    """An identity provider's key endpoint, which can be told what to answer."""

    keys: list[Json] = field(default_factory=lambda: [published(EC, "ec"), published(RSA, "rsa")])
    answer: Response | None = None
    asked: list[str] = field(default_factory=list)

    async def respond(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return self.answer or JSONResponse({"keys": self.keys})

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.respond)])


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A verifier with its provider and its clock."""

    provider: Provider
    clock: Clock
    verifier: TokenVerifier

    async def refuses(self, token: str) -> bool:
        try:
            await self.verifier.verify(token)
        except TokenRefused:
            return True
        return False

    async def accepts(self, token: str) -> bool:
        return not await self.refuses(token)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    provider, clock = Provider(), Clock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(provider.app)) as http:
        yield Desk(provider, clock, a_verifier(http, clock))


def a_verifier(http: httpx.AsyncClient, clock: Clock, url: str = JWKS) -> TokenVerifier:
    return TokenVerifier(http, jwks_url=url, issuer=ISSUER, audience=AUDIENCE, clock=clock)


def claims(**changed: object) -> Json:
    """Return good claims, changed; a change to `...` takes a claim away."""
    good: Json = {
        "iss": ISSUER,
        "sub": str(USER),
        "aud": AUDIENCE,
        "exp": NOW + 3600,
        "iat": NOW,
        "session_id": str(SESSION),
        "role": "authenticated",
        "user_metadata": {},
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not ...}


def part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(header: bytes, payload: bytes, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = EC) -> str:
    """Sign any two byte strings, however wrong, as RFC 7515 says."""
    signed = f"{part(header)}.{part(payload)}"
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        size = (key.key_size + 7) // 8
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return f"{signed}.{part(signature)}"


def a_token(
    payload: Json | None = None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = EC,
    **header: object,
) -> str:
    """Return a token that is good but for what is changed."""
    fields = {"alg": "ES256", "kid": "ec", "typ": "JWT", **header}
    fields = {name: value for name, value in fields.items() if value is not ...}
    return sign(json.dumps(fields).encode(), json.dumps(claims() if payload is None else payload).encode(), key)


def with_payload(text: str) -> str:
    """Return a well-signed token of this exact payload."""
    return sign(b'{"alg":"ES256","kid":"ec"}', text.encode())


async def test_a_good_token_says_whose_it_is_which_session_and_until_when(desk: Desk) -> None:
    assert await desk.verifier.verify(a_token()) == Claims(USER, SESSION, NOW + 3600)


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


# The published keys.


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


# The provider.


async def test_keys_are_fetched_once_and_used_again(desk: Desk) -> None:
    for _ in range(5):
        assert await desk.accepts(a_token())

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
        Response(status_code=404),
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


# Anything at all.

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
