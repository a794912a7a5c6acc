"""Program: a process of our own as a part of one machine, ready when it answers."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.embedded.process import DidNotStart, end, end_leftover, spawn


class Program:
    """One of our processes; with a port and a path it is ready when that answers 200, without at once."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        lock: Path,
        log: Path,
        environment: Mapping[str, str],
        port: int = 0,
        path: str = "",
    ) -> None:
        self.name = name
        self.address = f"127.0.0.1:{port}" if port else ""
        self.process: asyncio.subprocess.Process | None = None
        self._command = command
        self._lock = lock
        self._log = log
        self._environment = environment
        self._port = port
        self._path = path

    async def start(self, seconds: float = 60.0) -> None:
        """Start it, in the environment as it is now, and wait until it is ready, or raise `DidNotStart`."""
        self.process = await spawn(self._command, lock=self._lock, log=self._log, environment=self._environment)
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._path and not await answers(self._port, self._path):
            if self.process.returncode is not None or loop.time() > until:
                await self.stop()
                raise DidNotStart(f"{self.name} did not start; {self._log} says why")
            await asyncio.sleep(0.05)

    async def stop(self, seconds: float = 5.0) -> None:
        """Stop it; a second call does nothing."""
        if self.process is not None and self.process.returncode is None:
            await end(self.process, signal.SIGTERM, seconds)
        self.process = None

    async def end_leftover(self) -> None:
        """End its process of an earlier run, so that the port is free again."""
        await end_leftover(self._lock, signal.SIGTERM)


async def answers(port: int, path: str) -> bool:
    """Say whether an HTTP server of this machine answers this path with 200."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return status.split(b" ")[1:2] == [b"200"]
