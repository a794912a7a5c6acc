"""Key file: the stand-in's own keys, made at the first start, for its owner's eyes only.

Whoever loses it loses every e-mail address and signs everyone out; whoever copies it can sign in as anyone.
"""

import json
import os
import stat
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes, token_hex

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.embedded.durable import sync_directory

SECRETS = ("lookup", "seal", "refresh")


class KeyFileRefused(Exception):
    """The key file can be read by others, or is not one; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key and the id under which its public half is published."""

    kid: str
    private: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class AuthKeys:
    """Signing keys (the first one signs, all are published) and the secrets for e-mails and refresh tokens."""

    signing: tuple[SigningKey, ...]
    lookup: bytes
    """Key of the HMAC by which an e-mail is found."""
    seal: bytes
    """Key that seals e-mails and metadata."""
    refresh: bytes
    """Key from which each refresh token's successor is derived."""


def new_keys() -> AuthKeys:
    """Draw a complete set."""
    return AuthKeys((_new_signing_key(),), *(token_bytes(32) for _ in SECRETS))


def load_keys(file: Path) -> AuthKeys:
    """Read the key file, made first if there is none; raises `KeyFileRefused` if others may read it."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, new_keys(), replace=False)
    return _read(file)


def rotate_signing_key(file: Path) -> None:
    """Sign with a new key from the next start on; tokens of the one before stay valid, those of older ones end."""
    keys = _read(file)
    signing = (_new_signing_key(), keys.signing[0])
    _write(file, AuthKeys(signing, keys.lookup, keys.seal, keys.refresh), replace=True)


def _new_signing_key() -> SigningKey:
    return SigningKey(token_hex(8), ec.generate_private_key(ec.SECP256R1()))


def _read(file: Path) -> AuthKeys:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    with open(handle, encoding="utf-8") as opened:  # noqa: PTH123  what is checked must be what is read
        if stat.S_IMODE(os.fstat(handle).st_mode) & 0o077:
            raise KeyFileRefused(f"{file} is readable by others; keep it to its owner: chmod 600")
        text = opened.read()
    try:
        found = json.loads(text)
        signing = tuple(SigningKey(entry["kid"], _from_pem(entry["pem"])) for entry in found["signing"])
        secrets = [b64decode(found[name], validate=True) for name in SECRETS]
    except (ValueError, TypeError, KeyError):
        signing, secrets = (), []
    if not signing or any(len(secret) != 32 for secret in secrets):  # noqa: PLR2004  AES-256 and HMAC-SHA-256
        raise KeyFileRefused(f"{file} is not a key file of the auth stand-in; restore it from its backup")
    return AuthKeys(signing, *secrets)


def _write(file: Path, keys: AuthKeys, *, replace: bool) -> None:
    """Write beside the place and move there, on disk before anything depends on it; the first of two makers wins."""
    text = json.dumps(
        {
            "signing": [{"kid": key.kid, "pem": _to_pem(key.private)} for key in keys.signing],
            **{name: b64encode(secret).decode() for name, secret in _secrets(keys).items()},
        }
    )
    part = file.with_name(f".{file.name}.{token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(handle)
        if replace:
            part.replace(file)
        else:
            with suppress(FileExistsError):  # another process was first: its keys count
                file.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(file.parent)


def _secrets(keys: AuthKeys) -> dict[str, bytes]:
    return dict(zip(SECRETS, (keys.lookup, keys.seal, keys.refresh), strict=True))


def _to_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _from_pem(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.key_size != 256:  # noqa: PLR2004  P-256
        raise ValueError("not a P-256 key")
    return key
