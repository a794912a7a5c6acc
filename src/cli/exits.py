"""Exits: what goes wrong is told in a sentence on stderr, with an exit code that a script can tell apart.

0  it was done
1  it failed
2  the command line or the settings are wrong
3  a machine it needs cannot be reached; try again later
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer

from adapters.embedded.loopback import NoFreePort
from adapters.embedded.process import DidNotStart
from adapters.embedded.unprivileged import NotRunnable, NoUnprivilegedUser
from adapters.migrations import MigrationsRefused
from adapters.settings import SettingsInvalid

FAILED, WRONG, UNREACHABLE = 1, 2, 3


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors an operator can mend into a sentence and an exit code; anything else keeps its traceback."""
    try:
        yield
    except SettingsInvalid as error:
        raise _exit(f"The settings cannot be used:\n{error}", WRONG) from None
    except (MigrationsRefused, DidNotStart, NoFreePort, NoUnprivilegedUser, NotRunnable) as error:
        raise _exit(str(error) or str(type(error).__doc__), FAILED) from None
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise _exit(f"{error.filename}: {error.strerror}", FAILED) from None
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            words = (
                "Another program listens where this one should: choose AFTERSCHOOL_PORT and AFTERSCHOOL_METRICS_PORT"
            )
            raise _exit(f"{words} (0: no metrics).", FAILED) from None
        raise _exit(f"A machine cannot be reached ({type(error).__name__}); is it up?", UNREACHABLE) from None


def let_go_of_stdout() -> None:
    """Forget what is still to be written: whoever read it is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit(sentence: str, code: int) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(code)
