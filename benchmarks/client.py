"""Client: HTTP calls to a running system over one kept-alive socket, repeated until the system answers."""

import asyncio
import json
from urllib.parse import urlsplit

from benchmarks.load import Answer, Connection, connect, request

PATIENCE = 60.0
"""Seconds for which a call is repeated while the system is away or busy."""


class Refused(Exception):
    """The system refused a call for good; the message says which, with the status and type of the problem."""


class Client:
    """One connection to a system; a call that appends must have a key, so that repeating it is safe."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._connection: Connection | None = None

    async def ask(self, method: str, path: str, *, body: object = None, token: str = "", key: str = "") -> Answer:
        """Return the answer to a call that succeeded; raises `Refused`, and `ConnectionError` after a minute.

        Where the system asks for patience (429), it gets what it asks for.
        """
        raw = b"" if body is None else json.dumps(body).encode()
        sent = request(method, path, body=raw, token=token, key=key, host=f"{self._host}:{self._port}")
        until = asyncio.get_running_loop().time() + PATIENCE
        while (answer := await self._try(sent)) is None or answer.status in {429, 503}:
            if asyncio.get_running_loop().time() > until:
                raise ConnectionError("the system does not answer")
            if answer is not None and answer.status == 429:
                await asyncio.sleep(int(answer.header("retry-after") or 1))
                continue
            self.close()
            await asyncio.sleep(0.2)
        if answer.status >= 400:
            raise Refused(f"{method} {path.partition('?')[0]}: {answer.status} {_type_of(answer)}")
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()
            self._connection = None

    async def _try(self, sent: bytes) -> Answer | None:
        try:
            if self._connection is None:
                self._connection = await connect(self._port, host=self._host, secure=self._secure)
            return await self._connection.ask(sent)
        except OSError:
            return None


def _type_of(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body).get("type", ""))
    except (ValueError, AttributeError):
        return ""
