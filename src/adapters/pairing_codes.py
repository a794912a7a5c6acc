"""Pairing codes: the port `commands.ports.PairingCodes`; twelve letters and digits that follow from a command's id."""

import hmac
from base64 import b32encode
from uuid import UUID

import asyncpg

from domain.events import PairingCodeIssued

LENGTH = 12
"""Characters of 32 kinds: 60 bits."""
_LOOKALIKES = str.maketrans("018", "OIB", "- ")
"""What is read as what, for a code is read aloud and typed; the alphabet of RFC 4648 has no 0, 1 and 8."""


class PostgresPairingCodes:
    """Codes under one server key; the log itself, by an index, knows for whom each was issued."""

    def __init__(self, pool: asyncpg.Pool, key: bytes) -> None:
        self._pool = pool
        self._key = key

    def make(self, command_id: UUID) -> str:
        """Return the code of this command, in three groups of four."""
        code = b32encode(self._digest(b"code", command_id.bytes)).decode()[:LENGTH]
        return f"{code[:4]}-{code[4:8]}-{code[8:]}"

    def hash(self, code: str) -> str:
        """Return the keyed hash of a code: groups, case and lookalikes make no difference."""
        return self._digest(b"hash", code.upper().translate(_LOOKALIKES).encode()).hex()

    async def student_of(self, code: str) -> UUID | None:
        """Return for whom a code was issued."""
        return await self._pool.fetchval(  # type: ignore[no-any-return]
            f"select subject from events where type = '{PairingCodeIssued.TOPIC}' and data ->> 'code_hash' = $1",  # noqa: S608  a fixed word
            self.hash(code),
        )

    def _digest(self, purpose: bytes, message: bytes) -> bytes:
        return hmac.digest(self._key, b"pairing " + purpose + b"\x1f" + message, "sha256")
