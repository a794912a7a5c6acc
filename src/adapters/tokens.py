"""Tokens: an access token in, whose session it is out; whatever is wrong with it, the answer is one refusal.

The only module that knows python-jose, and it relies on none of its defaults: the library gets one key, one algorithm
and a token whose every byte was looked at before, and answers one question: is this signature right?
"""

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jose import jwk, jws
from jose.backends import ECKey, RSAKey
from jose.backends.base import Key

from adapters.key_set import KeySet
from adapters.strict_json import read_object
from domain.errors import IdentityUnavailable, TokenRefused

LEEWAY = 10
"""Seconds that the provider's clock and ours may differ."""
LARGEST = 8192
"""Characters that a token may have."""
SMALLEST_RSA = 2048
LAST_SECOND = 253_402_300_799
"""End of the year 9999: no moment lies beyond."""

_BACKEND = "jose.backends.cryptography_backend"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_STEERING = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "enc", "zip", "b64"})
"""Headers by which a token would tell us how, or with what, to check it."""
_PUBLIC = {"ES256": ("EC", ("crv", "x", "y")), "RS256": ("RSA", ("n", "e"))}
"""The algorithms we take, each with its key type and the members of its public key."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says: whose it is, which session it belongs to, and when both began and it ends.

    The moments are Unix seconds; `began_at` is when its owner signed in, or, where the token does not tell, its own.
    """

    user_id: UUID
    session_id: UUID
    expires_at: int
    began_at: int


@dataclass(frozen=True, slots=True)
class _VerifyingKey:
    algorithm: str
    key: Key


class TokenVerifier:
    """Checks access tokens against the provider's published keys, one issuer and one audience."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        jwks_url: str,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if {ECKey.__module__, RSAKey.__module__} != {_BACKEND}:
            raise RuntimeError("python-jose must run on its cryptography backend")
        self._keys = KeySet(http, jwks_url, _build_key, clock)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    async def verify(self, token: str) -> Claims:
        """Return what the token says; raises `TokenRefused` for any fault of any kind, without saying which.

        Raises `IdentityUnavailable` only while the provider's keys could never be fetched.
        """
        try:
            return self._read_claims(await self._open(token))
        except IdentityUnavailable:
            raise
        except Exception:  # noqa: BLE001  whatever a stranger's token sets off is the token's fault
            raise TokenRefused from None

    async def _open(self, token: str) -> bytes:
        """Return the payload once its signature is proven by the one key that its header names."""
        _demand(len(token) <= LARGEST)
        parts = token.split(".")
        _demand(len(parts) == 3)  # noqa: PLR2004  header, payload, signature
        header, _, _ = [_decode(part) for part in parts]
        fields = read_object(header)
        kid = fields.get("kid")
        _demand(not _STEERING & fields.keys())
        found = await self._keys.find(kid) if isinstance(kid, str) else None
        if found is None or fields.get("alg") != found.algorithm:
            raise TokenRefused
        return jws.verify(token, found.key, [found.algorithm])

    def _read_claims(self, payload: bytes) -> Claims:
        claims = read_object(payload)
        now = self._clock()
        expires_at, issued_at = _moment(claims["exp"]), _moment(claims["iat"])
        _demand(now < expires_at + LEEWAY)
        _demand(issued_at <= now + LEEWAY)
        _demand(_moment(claims.get("nbf", 0)) <= now + LEEWAY)
        _demand(claims["iss"] == self._issuer)
        _demand(self._audience in _texts(claims["aud"]))
        began_at = _signed_in_at(claims.get("amr"), issued_at)
        return Claims(_uuid(claims["sub"]), _uuid(claims["session_id"]), expires_at, began_at)


def _build_key(entry: Mapping[str, object]) -> _VerifyingKey | None:
    """Build a published key, or return None if it isn't one of ours, isn't for verifying, or isn't strong enough."""
    algorithm = entry.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _PUBLIC or not _may_verify(entry):
        return None
    kind, members = _PUBLIC[algorithm]
    if entry.get("kty") != kind or "d" in entry or (kind == "EC" and entry.get("crv") != "P-256"):
        return None
    try:
        key = jwk.construct({"kty": kind, **{name: entry[name] for name in members}}, algorithm)
    except Exception:  # noqa: BLE001  a key the library cannot build is a key we cannot use
        return None
    prepared = getattr(key, "prepared_key", None)
    if isinstance(prepared, RSAPublicKey) and prepared.key_size < SMALLEST_RSA:
        return None
    return _VerifyingKey(algorithm, key)


def _may_verify(entry: Mapping[str, object]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _decode(part: str) -> bytes:
    """Decode strict base64url: its alphabet alone, no padding, and the one spelling that these bytes have."""
    raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    _demand(urlsafe_b64encode(raw).rstrip(b"=").decode() == part)
    return raw


def _moment(value: object) -> int:
    """Return a moment written as a JSON integer of a sane size (`true` is an int to Python, not to JSON)."""
    if type(value) is not int or not 0 <= value <= LAST_SECOND:
        raise TokenRefused
    return value


def _signed_in_at(methods: object, issued_at: int) -> int:
    """Return when the first of Supabase's authentication methods was passed, which is the same in every later token."""
    entries = methods if isinstance(methods, list) else []
    moments = [entry.get("timestamp") for entry in entries if isinstance(entry, dict)]
    return min([moment for moment in moments if type(moment) is int and moment >= 0] + [issued_at])


def _uuid(value: object) -> UUID:
    """Return a UUID written in its usual 36 characters."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise TokenRefused
    return UUID(value)


def _texts(value: object) -> list[str]:
    """Return the one text or the list of texts; anything else is refused."""
    items = value if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str)]
    _demand(len(texts) == len(items))
    return texts


def _demand(met: bool) -> None:  # noqa: FBT001  the condition is all there is to pass
    if not met:
        raise TokenRefused
