"""`afterschool migrate`: the schema's next steps, once, whoever asks first."""

import asyncio

import typer

from adapters.migrations import migrate as apply_migrations
from adapters.settings import load_settings
from cli.exits import plain_errors

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date.

    Applies the migrations that came with this code and are not in the database yet, each in its own transaction; a
    second call does nothing. Refuses a database that is newer than the code.

    Example: afterschool migrate
    """
    with plain_errors():
        settings = load_settings()
        applied = asyncio.run(apply_migrations(settings.database_url.get_secret_value()))
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The schema is up to date.")
