"""Worker: a long-running process of ours at the command line, with its metrics, until SIGINT or SIGTERM."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop

from adapters.log_lines import log_as_json
from adapters.settings import Settings, load_settings
from api.metrics import metrics_listener
from cli.exits import plain_errors


def run_worker(work: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> None:
    """Let it work until it is told to stop; it gets the settings, and an event that is set then."""
    with plain_errors():
        settings = load_settings()
        log_as_json()
        with (
            metrics_listener(settings.metrics_host, settings.metrics_port),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_until_told(work, settings))


async def _until_told(work: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    stop = asyncio.Event()
    for request in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(request, stop.set)
    await work(settings, stop)
