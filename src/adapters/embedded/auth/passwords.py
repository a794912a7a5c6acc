"""Passwords: kept as scrypt hashes; checking one costs the same whether there is anything to check it against."""

import asyncio
import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from secrets import token_bytes

from adapters.embedded.auth.refusals import Refusal, validation_failed, weak_password

SHORTEST = 8
"""Characters."""
LONGEST = 72
"""Bytes; Supabase's bcrypt can tell no more apart."""
N, R, P = 2**14, 8, 1
"""Cost of a hash: 16 MiB and some 50 ms (RFC 7914)."""

_NOBODY = "$".join(["scrypt", "AAAAAAAAAAAAAAAAAAAAAA==", "A" * 43 + "="])


def check_new_password(password: str) -> None:
    """Refuse a password that is too short (`weak_password`) or too long."""
    check_length(password)
    if len(password) < SHORTEST:
        raise weak_password()


def check_length(password: str) -> None:
    """Refuse a password that Supabase could not tell from a longer one."""
    if len(password.encode()) > LONGEST:
        raise validation_failed("Password cannot be longer than 72 characters")


class Passwords:
    """Hashes and checks passwords off the event loop, one a processor, in a queue with an end."""

    def __init__(self, *, queue: int) -> None:
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="scrypt")
        self._most = queue
        self._under_way = 0

    async def hash(self, password: str) -> str:
        """Return what to keep of a password."""
        salt = token_bytes(16)
        key = await self._work(password, salt)
        return "$".join(["scrypt", b64encode(salt).decode(), b64encode(key).decode()])

    async def matches(self, password: str, kept: str | None) -> bool:
        """Tell whether this is the password that was kept; never where nothing is kept, and after the same work."""
        _, salt, key = (kept or _NOBODY).split("$")
        found = await self._work(password, b64decode(salt))
        return hmac.compare_digest(found, b64decode(key)) and kept is not None

    def close(self) -> None:
        """Let the threads go; what is under way is finished."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _work(self, password: str, salt: bytes) -> bytes:
        if self._under_way >= self._most:
            raise Refusal(429, "over_request_rate_limit", "Request rate limit reached")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _scrypt, password.encode(), salt)
        finally:
            self._under_way -= 1


def _scrypt(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=N, r=R, p=P, maxmem=2**26, dklen=32)
