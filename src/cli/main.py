"""Command line: `afterschool <command>`; only the command asked for is imported, so that it answers at once."""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

COMMANDS = {
    "up": "Run the whole system on this machine.",
    "serve": "Serve the HTTP API.",
    "project": "Keep the read models up to date with the log.",
    "migrate": "Bring the database's schema up to date.",
}
"""Each command and each group of commands is a module of this name beside this one, with a Typer called `app`."""


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Build the command line: the command that is asked for, and a line about each of the others."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Run, operate and read Afterschool.")
    app.callback()(_callback)
    asked_for = [argument for argument in arguments if argument in COMMANDS][:1]
    for name in asked_for:
        app.add_typer(import_module(f"cli.{name}").app)
    for name in COMMANDS.keys() - asked_for:
        app.command(name, help=COMMANDS[name])(_callback)
    return app


def main() -> None:
    """Run the command that the arguments name."""
    command_line(sys.argv[1:])()


def _callback() -> None:
    """Do nothing: it only makes room for commands."""


if __name__ == "__main__":
    main()
