"""`afterschool project`: the projector as a process of its own."""

import asyncio
import signal

import typer
import uvloop

from adapters.log_lines import log_as_json
from adapters.memory import settle_memory
from adapters.settings import Settings, load_settings
from api.metrics import metrics_listener
from cli.exits import plain_errors
from workers.run_projector import run_projector

app = typer.Typer()


@app.command()
def project() -> None:
    """Keep the read models up to date with the log.

    Reads from RabbitMQ where AFTERSCHOOL_RABBITMQ_URL names one, and from the log itself where none is or none answers.
    Any number may run, each with its own AFTERSCHOOL_METRICS_PORT: they share the queues evenly and take over from one
    that dies. SIGTERM and SIGINT stop it.

    Example: afterschool project
    """
    with plain_errors():
        settings = load_settings()
        log_as_json()
        with (
            metrics_listener(settings.metrics_host, settings.metrics_port),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_project(settings))


async def _project(settings: Settings) -> None:
    stop = asyncio.Event()
    for request in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(request, stop.set)
    settle_memory()
    await run_projector(settings, stop)
