"""Proxy: a TCP link that fails on command, put between a client and a server."""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Self


class Towards(Enum):
    """Which way bytes flow."""

    SERVER = "server"
    CLIENT = "client"


@dataclass
class _Cut:
    towards: Towards
    left: int
    reset: bool


@dataclass(eq=False)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    silent: bool = False

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.server)


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes everything on to a server, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.accepted = 0
        """Connections so far."""
        self.cuts = 0
        """Connections that `cut` has ended so far."""
        self.delay = 0.0
        """Seconds that every chunk waits before it is passed on."""
        self._behind = host, port
        self._listener: asyncio.Server | None = None
        self._cut: _Cut | None = None
        self._silent = False
        self._away = False
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener:
            self._listener.close()
        self.reset()
        await asyncio.gather(*self._tasks)

    @property
    def is_used(self) -> bool:
        """Tell whether anything is connected."""
        return bool(self._links)

    def cut(self, towards: Towards, *, after: int = 0, reset: bool = False) -> None:
        """Let so many more bytes pass in one direction, then end that connection (by RST if `reset`), once."""
        self._cut = _Cut(towards, after, reset)

    def reset(self) -> None:
        """End every connection at once, by RST."""
        for link in self._links:
            link.reset()

    def go_away(self) -> None:
        """End every connection, and every new one as soon as it comes."""
        self._away = True
        self.reset()

    def go_silent(self) -> None:
        """Take connections and bytes, and swallow them; those connections never speak again."""
        self._silent = True

    def come_back(self) -> None:
        """Pass everything on again."""
        self._away = self._silent = False
        self._cut = None

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        try:
            if self._away:
                raise ConnectionRefusedError
            answers, server = await asyncio.open_connection(*self._behind)
        except OSError:
            _reset(client)
            return
        link = _Link(client, server)
        self._links.add(link)
        await self._join(link, reader, answers)
        self._links.discard(link)

    async def _join(self, link: _Link, questions: asyncio.StreamReader, answers: asyncio.StreamReader) -> None:
        """Pass bytes both ways until either way ends, then close both."""
        pumps = [
            asyncio.create_task(self._pump(link, questions, link.server, Towards.SERVER)),
            asyncio.create_task(self._pump(link, answers, link.client, Towards.CLIENT)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
        for writer in (link.client, link.server):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        for pump in pumps:
            if not pump.cancelled():
                pump.result()

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, towards: Towards
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(65_536):
                await asyncio.sleep(self.delay)
                link.silent = link.silent or self._silent
                if link.silent:
                    continue
                cut = self._cut if self._cut and self._cut.towards is towards else None
                if cut and len(chunk) > cut.left:
                    self._cut = None
                    self.cuts += 1
                    sink.write(chunk[: cut.left])
                    return link.reset() if cut.reset else None
                if cut:
                    cut.left -= len(chunk)
                sink.write(chunk)
                await sink.drain()
        return None


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close without a word of farewell: what is still in the buffers is lost and the peer gets an RST."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
