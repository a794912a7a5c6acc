"""Key set: the identity provider's public keys by id, fetched now and then, kept when the provider is away."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import httpx

from adapters.strict_json import read_object
from domain.errors import IdentityUnavailable

LIFETIME = 300.0
"""Seconds until the set is fetched again: a key that was taken away works at most this much longer."""
PATIENCE = 30.0
"""Seconds between two fetches for unknown ids, and between two tries while the provider is away."""
FIRST_PATIENCE = 1.0
"""The same as long as no set was ever loaded."""
DEADLINE = 5.0
"""Seconds that one fetch may take."""
LARGEST = 65_536
"""Bytes that a set may have."""

_FAILURES = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RuntimeError)

K = TypeVar("K")


class KeySet(Generic[K]):
    """The keys behind one configured address; nothing that a token says leads to any other."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        build: Callable[[Mapping[str, object]], K | None],
        clock: Callable[[], float],
    ) -> None:
        """Take what turns a JSON Web Key into a key to verify with, or None for one that is of no use."""
        self._http = http
        self._url = url
        self._build = build
        self._clock = clock
        self._keys: Mapping[str, K] | None = None
        self._tried_at = self._due_at = self._looked_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> K | None:
        """Return the one key of that id, or None; raises `IdentityUnavailable` when no set was ever loaded."""
        now = self._clock()
        if not self._tried_at <= now < self._due_at:  # a clock that was set back must not keep a set alive
            await self._load()
        elif (
            self._keys is not None and kid not in self._keys and not self._looked_at <= now < self._looked_at + PATIENCE
        ):
            self._looked_at = now
            await self._load()
        if self._keys is None:
            raise IdentityUnavailable
        return self._keys.get(kid)

    async def _load(self) -> None:
        """Fetch once for all who wait; one who stops waiting doesn't stop the fetch."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._fetch_and_keep())
        await asyncio.shield(self._loading)

    async def _fetch_and_keep(self) -> None:
        try:
            self._keys = self._read(await self._fetch())
            wait = LIFETIME
        except _FAILURES:
            wait = FIRST_PATIENCE if self._keys is None else PATIENCE
        finally:
            self._loading = None
        self._tried_at = self._clock()
        self._due_at = self._tried_at + wait

    async def _fetch(self) -> bytes:
        body = b""
        async with asyncio.timeout(DEADLINE), self._http.stream("GET", self._url, follow_redirects=False) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError("not a key set")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise ValueError("too large for a key set")
        return body

    def _read(self, body: bytes) -> Mapping[str, K]:
        """Keep the usable keys whose id is theirs alone."""
        entries = read_object(body).get("keys")
        if not isinstance(entries, list):
            raise ValueError("not a key set")  # noqa: TRY004  all that is wrong with a set is one kind of error
        named = [
            (entry["kid"], entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("kid"), str)
        ]
        times = Counter(kid for kid, _ in named)
        built = {kid: self._build(entry) for kid, entry in named if times[kid] == 1}
        return {kid: key for kid, key in built.items() if key is not None}
