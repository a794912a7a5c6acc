"""`afterschool serve`: the HTTP API as a process of its own."""

import signal
from types import FrameType

import typer

from adapters.log_lines import log_as_json
from adapters.settings import load_settings
from api.server import serve as serve_api
from cli.exits import plain_errors

app = typer.Typer()


@app.command()
def serve() -> None:
    """Serve the HTTP API.

    Any number may run, each with its own AFTERSCHOOL_PORT and AFTERSCHOOL_METRICS_PORT. SIGTERM and SIGINT stop it:
    requests under way are answered first.

    Example: afterschool serve
    """
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, _leave)
    with plain_errors():
        settings = load_settings()
        log_as_json()
        serve_api(settings, lambda: load_settings().master_keys.get_secret_value())  # noqa: PLW0108  read at each call


def _leave(_: int, __: FrameType | None) -> None:
    """End with exit code 0: the server repeats the signal it was stopped by once everything is closed."""
    raise SystemExit(0)
