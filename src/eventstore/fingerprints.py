"""Fingerprints: what tells the repeat of a command from the reuse of its key, without keeping the body."""

import hmac
import json
from base64 import b64decode
from hashlib import sha256


class Fingerprints:
    """HMACs of command bodies under versioned server keys; the highest version signs."""

    def __init__(self, key_set: str) -> None:
        """Take the JSON of version to base64 key."""
        self._keys = {int(version): b64decode(key) for version, key in json.loads(key_set).items()}
        self.newest = max(self._keys)

    def of(self, operation: str, body: bytes, version: int | None = None) -> bytes:
        """Return HMAC-SHA-256(key, operation ‖ 0x1F ‖ body) under one key version."""
        key = self._keys[self.newest if version is None else version]
        return hmac.digest(key, operation.encode() + b"\x1f" + body, sha256)

    def matches(self, operation: str, body: bytes, fingerprint: bytes, version: int) -> bool:
        """Tell whether this body made that fingerprint; one made under a key that is gone matches nothing."""
        return version in self._keys and hmac.compare_digest(self.of(operation, body, version), fingerprint)
