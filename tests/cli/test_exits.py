"""Exits: what an operator can mend is told in a sentence, with an exit code of its kind."""

import errno
from pathlib import Path

import asyncpg
import pytest
import typer

from adapters.embedded.process import DidNotStart
from adapters.migrations import MigrationsRefused
from adapters.settings import SettingsInvalid
from cli.exits import FAILED, UNREACHABLE, WRONG, plain_errors


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (SettingsInvalid("AFTERSCHOOL_PORT: Field required"), WRONG, "AFTERSCHOOL_PORT: Field required"),
        (MigrationsRefused("0002_x.sql was changed"), FAILED, "0002_x.sql was changed"),
        (DidNotStart("api did not start"), FAILED, "api did not start"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/keys"), FAILED, "/srv/keys: Permission denied"),
        (OSError(errno.EADDRINUSE, "in use"), FAILED, "Another program listens"),
        (ConnectionRefusedError(), UNREACHABLE, "cannot be reached (ConnectionRefusedError)"),
        (asyncpg.CannotConnectNowError(), UNREACHABLE, "cannot be reached (CannotConnectNowError)"),
    ],
)
def test_an_error_becomes_a_sentence_and_an_exit_code(
    error: Exception, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_, plain_errors():
        raise error

    told = capsys.readouterr()
    assert exit_.value.exit_code == code
    assert sentence in told.err
    assert told.out == ""


def test_an_error_in_our_own_code_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), plain_errors():
        raise ZeroDivisionError


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), plain_errors():
        (tmp_path / "missing").read_bytes()

    assert str(tmp_path / "missing") in capsys.readouterr().err
