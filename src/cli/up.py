"""`afterschool up`: one machine, one command."""

from pathlib import Path
from typing import Annotated

import typer

from cli.machine import run

app = typer.Typer()


@app.command()
def up(
    port: Annotated[
        int, typer.Option(envvar="AFTERSCHOOL_PORT", min=0, max=65535, help="Port of the HTTP API.")
    ] = 8000,
    metrics_port: Annotated[
        int,
        typer.Option(
            envvar="AFTERSCHOOL_METRICS_PORT",
            min=0,
            max=65535,
            help="Port of the API's metrics; the projector's is the next one, then the relay's. 0 takes free ones.",
        ),
    ] = 0,
    data_dir: Annotated[
        Path, typer.Option(envvar="AFTERSCHOOL_DATA_DIR", help="Where data, keys and logs are kept.", file_okay=False)
    ] = Path(".afterschool"),
    *,
    broker: Annotated[
        bool,
        typer.Option("--broker", help="Run RabbitMQ and the relay as well."),
    ] = False,
    starter: Annotated[
        bool,
        typer.Option(
            "--starter/--no-starter",
            help="Put the starter questions into a bank that has none.",
        ),
    ] = True,
) -> None:
    """Run the whole system on this machine.

    Starts Postgres, Valkey, a stand-in for Supabase Auth, the projector and the API, all on 127.0.0.1, and starts
    again what dies. Ctrl-C stops everything; the data stays. Other commands run in the same place find this system by
    themselves. Port 0 takes a free one.

    With --broker the projector is fed by RabbitMQ: by the one that AFTERSCHOOL_RABBITMQ_URL names, else by a private
    node of an installed one, whose data is kept with the rest.

    Example: afterschool up --port 8100 --data-dir /srv/afterschool
    """
    run(port, metrics_port, data_dir.absolute(), broker=broker, starter=starter)
