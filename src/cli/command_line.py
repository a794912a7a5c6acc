"""Command line: `afterschool <command>`; only the command asked for is imported, so that each answers at once."""

from collections.abc import Sequence
from importlib import import_module

import typer

COMMANDS = {
    "up": "Run the whole system on this machine.",
    "serve": "Serve the HTTP API.",
    "project": "Keep the read models up to date with the log.",
    "relay": "Carry the log to RabbitMQ.",
    "housekeep": "Finish erasures, keep to the schedule, hash the reads.",
    "migrate": "Bring the database's schema up to date.",
    "status": "Show whether all is up and how far each reader has come.",
    "events": "Look at the event log: follow it, show one event, export it.",
    "parked": "Look after events that could not be folded.",
    "projections": "Rebuild, switch and audit the read models.",
    "grade": "Grade an answer to a question, and say why.",
    "reads": "Show who read whose data, and verify that record.",
    "questions": "Check question files, fill the bank from them, export it.",
    "sessions": "Show who is signed in, and end it.",
    "grant-role": "Give an adult a role of staff, or take it back.",
    "erase": "Have somebody forgotten for good.",
    "retention": "Show what must go by the schedule of retention.",
    "keys": "Rotate the master key that wraps everyone's keys.",
    "demo": "Make accounts to try the system with.",
}
"""Each command and group of commands is a module of this name beside this one (`grant_role`), with a Typer `app`."""


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Build the command line: the command that is asked for, and a line about each of the others."""
    app = typer.Typer(
        help="Run, operate and read Afterschool.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_callback)
    asked_for = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, line in COMMANDS.items():
        if name == asked_for:
            app.add_typer(import_module(f"cli.{name.replace('-', '_')}").app)
        else:
            app.command(name, help=line)(_callback)
    return app


def _callback() -> None:
    """Do nothing: it only makes room for commands."""
