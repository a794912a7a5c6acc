"""`afterschool project`: the projector as a process of its own."""

import asyncio

import typer

from adapters.memory import settle_memory
from adapters.settings import Settings
from cli.worker import run_worker
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
    run_worker(_project)


async def _project(settings: Settings, stop: asyncio.Event) -> None:
    settle_memory()
    await run_projector(settings, stop)
