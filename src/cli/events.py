"""`afterschool events`: the log, looked at as it grows, one event in full, or taken out whole."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.settings import load_settings
from cli.event_lines import json_line, long_lines, short_line
from cli.exits import FAILED, plain_errors
from cli.export import ExportRefused, Selection, export_lines, open_output
from domain.errors import LogBroken
from eventstore.codec import event_types
from eventstore.connections import APP, create_pool
from eventstore.reader import LogReader
from eventstore.record import Record

LAST = 10
"""Events that `tail` begins with."""
_INTERRUPTED = 130

app = typer.Typer(
    name="events",
    no_args_is_help=True,
    help="""Look at the event log: the one record of everything that happened.

    Names, e-mails and other personal fields rest sealed in it and are never opened by these commands.
    """,
)


class Format(StrEnum):
    """How an export is written."""

    NDJSON = "ndjson"


def _known_types(names: list[str]) -> list[str]:
    known = event_types()
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name} is no type of event; there are {', '.join(sorted(known))}.")
    return names


After = Annotated[int, typer.Option(min=0, help="Begin behind this position.")]
Types = Annotated[
    list[str], typer.Option("--type", callback=_known_types, help="Only events of this type; may be given repeatedly.")
]
Subject = Annotated[UUID | None, typer.Option(help="Only events about this person.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
