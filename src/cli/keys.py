"""`afterschool keys`: the master key that wraps everyone's own key, and its rotation."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from adapters.settings import load_settings
from cli.exits import FAILED, plain_errors
from cli.key_file import SETTING, KeyFile, KeyFileNotOurs
from cli.rotation import Rotation, RotationRefused
from cli.rotation import rotate as rotate_master_key

app = typer.Typer(
    name="keys",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look after the master key: everyone's personal fields rest under a key of their own, wrapped by it.",
)


@app.command()
def rotate(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")] = False
) -> None:
    """Wrap everyone's key under a new master key, and destroy the old one.

    Where the master keys come from a file, a new version is added to it, everyone's key is wrapped under it, and the
    older versions are removed; running processes find the new version by themselves. A rotation that was stopped is
    finished by the next call. Where the environment itself holds the keys, add the new version there first: this
    command then wraps everyone's key under it and says which versions may be removed.

    Rotate every 30 days: what an old backup holds of an erased person can be read until the master key of its time is
    gone. A backup of the database is worth nothing without the key file of its time.

    Example: afterschool keys rotate
    """
    with plain_errors():
        try:
            rotation = asyncio.run(rotate_master_key(load_settings(), KeyFile.in_force()))
        except (RotationRefused, KeyFileNotOurs) as error:
            typer.echo(str(error) or error.__doc__, err=True)
            raise typer.Exit(FAILED) from None
    typer.echo(json.dumps(asdict(rotation)) if as_json else _in_words(rotation))


def _in_words(rotation: Rotation) -> str:
    lines = [f"Wrapped {rotation.rewrapped:,} keys anew; all are under version {rotation.version} of the master key."]
    lines += [f"Version {version} is destroyed." for version in rotation.removed]
    lines += [
        f"Version {version} may be removed from {SETTING} once every process runs with version {rotation.version}."
        for version in rotation.removable
    ]
    return "\n".join(lines)
