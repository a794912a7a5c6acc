"""Help: every command says what it does, in a paragraph, and shows an example."""

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from typer.testing import CliRunner

from cli.command_line import COMMANDS, command_line


def every_command() -> Iterator[tuple[str, ...]]:
    for name in COMMANDS:
        app = import_module(f"cli.{name.replace('-', '_')}").app
        for command in app.registered_commands:
            yield (name, command.name or command.callback.__name__) if app.info.name == name else (name,)


@pytest.mark.parametrize("command", list(every_command()), ids=" ".join)
def test_every_command_explains_itself_and_shows_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(command_line(command), [*command, "--help"])

    _, first_line, explanation, *_ = shown.stdout.split("\n\n")
    assert shown.exit_code == 0
    assert first_line.strip().endswith(".")
    assert len(explanation.split()) > 10
    assert re.search(rf"^  Example: (\w+=\S+ )?afterschool {' '.join(command)}\b", shown.stdout, re.MULTILINE)
