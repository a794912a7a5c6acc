"""`afterschool relay`: the relay as a process of its own."""

import asyncio
import signal

import typer
import uvloop

from adapters.log_lines import log_as_json
from adapters.settings import Settings, load_settings
from api.metrics import metrics_listener
from cli.exits import plain_errors
from workers.run_relay import run_relay

app = typer.Typer()


@app.command()
def relay() -> None:
    """Carry the log to RabbitMQ.

    Any number may run: one leads, and within ten seconds of its end another does. SIGTERM and SIGINT stop it.

    Example: AFTERSCHOOL_RABBITMQ_URL=amqps://broker.example afterschool relay
    """
    with plain_errors():
        settings = load_settings()
        log_as_json()
        with (
            metrics_listener(settings.metrics_host, settings.metrics_port),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_relay(settings))


async def _relay(settings: Settings) -> None:
    stop = asyncio.Event()
    for request in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(request, stop.set)
    await run_relay(settings, stop)
