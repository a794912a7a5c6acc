"""Provider: an identity provider's keys and tokens, good ones and all the bad ones, for the tests."""

import asyncio
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.tokens import TokenVerifier
from domain.errors import TokenRefused

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
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it lets whoever asks wait."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody asked."""

    async def respond(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        self.reached.set()
        await self.opened.wait()
        return self.answer or JSONResponse({"keys": self.keys})

    def __post_init__(self) -> None:
        self.opened.set()

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
