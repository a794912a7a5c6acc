"""Access tokens: the stand-in's JWTs, signed with its newest key and good for an hour."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import jwt
from jwt.algorithms import ECAlgorithm

from adapters.embedded.auth.key_file import SigningKey
from adapters.embedded.auth.refusals import bad_jwt
from adapters.embedded.auth.sessions import Session
from adapters.embedded.auth.users import User

LIFETIME = 3600
"""Seconds."""
AUDIENCE = "authenticated"
_REQUIRED = ("exp", "iat", "aud", "iss", "sub", "session_id")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a valid access token."""

    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Signs and reads access tokens of one issuer."""

    def __init__(self, keys: tuple[SigningKey, ...], issuer: str, clock: Callable[[], float] = time.time) -> None:
        self._newest = keys[0]
        self._public = {key.kid: key.private.public_key() for key in keys}
        self._issuer = issuer
        self._clock = clock

    def jwks(self) -> dict[str, list[dict[str, object]]]:
        """Return the public keys as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [self._jwk(kid) for kid in self._public]}

    def sign(self, user: User, session: Session) -> tuple[str, int]:
        """Return a token for this user's session, and the Unix second it ends."""
        now = int(self._clock())
        claims = {
            "iss": self._issuer,
            "sub": str(user.id),
            "aud": AUDIENCE,
            "exp": now + LIFETIME,
            "iat": now,
            "email": user.personal.email,
            "phone": "",
            "app_metadata": user.personal.app_metadata,
            "user_metadata": user.personal.user_metadata,
            "role": user.role,
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": int(session.created_at.timestamp())}],
            "session_id": str(session.id),
            "is_anonymous": False,
        }
        headers = {"kid": self._newest.kid}
        return jwt.encode(claims, self._newest.private, "ES256", headers), now + LIFETIME

    def read(self, token: str) -> Bearer:
        """Return who shows this token; raises the refusal `bad_jwt`."""
        try:
            key = self._public[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": list(_REQUIRED)},
            )
            return Bearer(UUID(claims["sub"]), UUID(claims["session_id"]))
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
            raise bad_jwt() from None

    def _jwk(self, kid: str) -> dict[str, object]:
        public = ECAlgorithm.to_jwk(self._public[kid], as_dict=True)
        return {**public, "kid": kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"]}
