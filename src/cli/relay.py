"""`afterschool relay`: the relay as a process of its own."""

import typer

from cli.worker import run_worker
from workers.run_relay import run_relay

app = typer.Typer()


@app.command()
def relay() -> None:
    """Carry the log to RabbitMQ.

    Any number may run: one leads, and within ten seconds of its end another does. SIGTERM and SIGINT stop it.

    Example: AFTERSCHOOL_RABBITMQ_URL=amqps://broker.example afterschool relay
    """
    run_worker(run_relay)
