"""Sealing: personal fields under their person's key, tied to their event, and a commitment that one receipt can open.

sealed     = 0x01 ‖ key id (16) ‖ nonce (12) ‖ AES-256-GCM(salt (32) ‖ JSON, padded with spaces to 64 bytes) ‖ tag (16)
commitment = SHA-256(0x02 ‖ salt ‖ padded JSON)
"""

from dataclasses import dataclass
from hashlib import sha256
from os import urandom
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_KEY_ID = slice(1, 17)
_NONCE = slice(17, 29)
_SALT = 32
_BLOCK = 64


class SealBroken(Exception):
    """A sealed field does not open with its key for this event: it was altered or moved."""


@dataclass(frozen=True, slots=True)
class PersonKey:
    """One person's key, ready for use."""

    key_id: UUID
    cipher: AESGCM


def seal(
    key: PersonKey, personal: bytes, *, event_id: UUID, stream: str, event_type: str, schema: int
) -> tuple[bytes, bytes]:
    """Seal the JSON of an event's personal fields; return the sealed bytes and their commitment."""
    plaintext = urandom(_SALT) + personal + b" " * (-(_SALT + len(personal)) % _BLOCK)
    nonce = urandom(12)
    bound = _bound(event_id, stream, event_type, schema, key.key_id)
    sealed = _VERSION + key.key_id.bytes + nonce + key.cipher.encrypt(nonce, plaintext, bound)
    return sealed, commitment(plaintext)


def open_sealed(key: PersonKey, sealed: bytes, *, event_id: UUID, stream: str, event_type: str, schema: int) -> bytes:
    """Return the salt and padded JSON that `seal` enclosed; raises `SealBroken` if anything about the event differs."""
    if sealed[:1] != _VERSION or sealed[_KEY_ID] != key.key_id.bytes:
        raise SealBroken
    bound = _bound(event_id, stream, event_type, schema, key.key_id)
    try:
        return key.cipher.decrypt(sealed[_NONCE], sealed[_NONCE.stop :], bound)
    except (InvalidTag, ValueError):  # altered; cut short
        raise SealBroken from None


def personal_json(plaintext: bytes) -> bytes:
    """Return the JSON inside an opened seal; its padding is white space."""
    return plaintext[_SALT:]


def commitment(plaintext: bytes) -> bytes:
    """Return SHA-256(0x02 ‖ salt ‖ padded JSON), which proves these fields without the key."""
    return sha256(b"\x02" + plaintext).digest()


def key_id_of(sealed: bytes) -> UUID:
    """Return the id of the key that sealed this."""
    return UUID(bytes=sealed[_KEY_ID])


def _bound(event_id: UUID, stream: str, event_type: str, schema: int, key_id: UUID) -> bytes:
    """Length-prefix what the ciphertext belongs to, so that it opens nowhere else."""
    parts = (event_id.bytes, stream.encode(), event_type.encode(), schema.to_bytes(2, "big"), key_id.bytes)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
