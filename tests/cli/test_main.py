"""Command line: it answers at once, imports only what is asked for, and lists what there is."""

import pkgutil
import re
import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

import cli
from cli.command_line import COMMANDS, command_line

HEAVY = {"asyncio", "asyncpg", "fastapi", "httpx", "pydantic", "redis", "rich", "supabase", "typer", "uvicorn"}
FIRST_LINE = """
import builtins
import sys

def first_line(line, **_):
    sys.stdout.write(line + chr(10) + " ".join(sys.modules))
    sys.exit()

builtins.print = first_line
sys.argv = ["afterschool", "up"]
from cli.main import main
main()
"""


def test_nothing_heavy_is_imported_before_the_first_line_is_printed() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_LINE], capture_output=True, text=True, check=True)
    line, modules = done.stdout.splitlines()

    assert line == "Starting Afterschool"
    assert HEAVY & set(modules.split()) == set()


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    program = (
        "import sys; from cli.command_line import command_line\n"
        "try: command_line([])(['--help'])\n"
        "finally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert all(name in done.stdout and line in done.stdout for name, line in COMMANDS.items())
    assert not {f"cli.{name.replace('-', '_')}" for name in COMMANDS} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_listed_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(command_line([name]), [name, "--help"])

    assert shown.exit_code == 0
    assert re.search(rf"Usage: root {name} .*\n\n  [A-Z]", shown.stdout)


def test_every_command_there_is_is_listed() -> None:
    modules = {module.name: import_module(f"cli.{module.name}") for module in pkgutil.iter_modules(cli.__path__)}

    commands = {name.replace("_", "-") for name, module in modules.items() if hasattr(module, "app")}
    assert commands == COMMANDS.keys()


def test_an_unknown_command_is_a_usage_error() -> None:
    shown = CliRunner().invoke(command_line(["fly"]), ["fly"])

    assert shown.exit_code == 2
