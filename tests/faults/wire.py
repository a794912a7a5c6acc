"""Wire: HTTP/1.1 over kept-alive sockets, cheap enough to send ten thousand requests beside whoever answers them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httptools
import httpx

PIECE = 65_536
TIMEOUT = 30.0


class Wire:
    """Connections to one server; each is used again as long as both sides keep it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(
        self, method: str, address: str, *, headers: Mapping[str, str], query: Mapping[str, Any] | None, body: object
    ) -> httpx.Response:
        """Return the answer; raises `OSError` and `TimeoutError` where there is none."""
        target = f"{address}?{urlencode(query)}" if query else address
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {of}" for name, of in headers.items())]
        if raw:
            lines += ["content-type: application/json", f"content-length: {len(raw)}"]
        async with asyncio.timeout(TIMEOUT):
            reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
                answer = await _receive(reader)
            except BaseException:
                writer.close()
                raise
        if answer.parser.should_keep_alive():
            self._idle.append((reader, writer))
        else:
            writer.close()
        return httpx.Response(answer.parser.get_status_code(), headers=answer.headers, content=bytes(answer.body))

    async def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()


async def _receive(reader: asyncio.StreamReader) -> "_Answer":
    answer = _Answer()
    while not answer.is_complete:
        piece = await reader.read(PIECE)
        if not piece:
            raise ConnectionResetError("the server hung up")
        answer.parser.feed_data(piece)
    return answer


class _Answer:
    """What a response says, as far as it has come."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.is_complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True
