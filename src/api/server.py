"""Server: the API as a process, on uvicorn with limits on everything a stranger may send."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial

import uvicorn
from fastapi import FastAPI

from adapters.memory import settle_memory
from adapters.settings import Settings
from adapters.wiring import open_backend
from api.app import create_app
from api.live import Streams
from api.metrics import metrics_listener
from api.protocol import Limits, limited

CONNECTIONS = 4096
"""Sockets that one process holds at once."""
IDLE_SECONDS = 30
"""How long a connection may rest between requests."""
STOP_SECONDS = 1
"""How long requests under way may take to end when the process is told to stop."""


class Server(uvicorn.Server):
    """uvicorn, which waits for streams to end, and here ends them first."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving: streams say that they end, requests under way are answered."""
        self._streams.end()
        await super().shutdown(sockets)


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return a server that is ready to run."""
    limits = Limits(
        header_bytes=settings.max_header_bytes,
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
        connections=CONNECTIONS,
    )
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=limited(limits),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=1024,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config, app.state.streams)


def serve(settings: Settings, master_keys: Callable[[], str] | None = None) -> None:
    """Serve the API until SIGINT or SIGTERM; `master_keys` reads the key set anew, as a rotation may have left it."""
    with metrics_listener(settings.metrics_host, settings.metrics_port):
        server = build_server(create_app(settings, partial(open_backend, read_master_keys=master_keys)), settings)
        settle_memory()
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(server.serve())
