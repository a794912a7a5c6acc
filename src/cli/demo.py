"""`afterschool demo`: accounts to try the system with."""

import asyncio
import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from adapters.embedded.auth.settings import is_loopback
from adapters.settings import Settings, data_directory, load_settings
from cli.demo_accounts import DemoAccount, DemoRefused, ensure_demo_accounts, in_words, sign_in
from cli.exits import FAILED, UNREACHABLE, plain_errors

app = typer.Typer(
    name="demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Try the system on one machine, as a parent, their child, or a student who has no guardian yet.",
)


@app.command()
def accounts(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, with a fresh access token each.")] = False,
) -> None:
    """Show the demo accounts; the first call makes them.

    There is a parent, a child whom this parent registered and consented for, and a student who registered alone and
    may do little until a guardian pairs with them and consents; how is shown below the accounts. Their passwords were
    drawn at random and lie in the data directory, in demo-accounts.json, for your eyes only. A second call makes
    nothing. An API or an auth service that others can reach gets no demo accounts.

    Example: afterschool demo accounts --json
    """
    with plain_errors():
        settings = load_settings()
        url = _url(settings)
        directory = data_directory()
        try:
            found = asyncio.run(_find(settings, url, directory))
            tokens = asyncio.run(sign_in(url, found)) if as_json else []
        except DemoRefused as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(FAILED) from None
        except httpx.TransportError as error:
            typer.echo(f"The API at {url} cannot be reached ({type(error).__name__}); is it up?", err=True)
            raise typer.Exit(UNREACHABLE) from None
    if as_json:
        shown = [_shown(account, token) for account, token in zip(found, tokens, strict=True)]
        typer.echo(json.dumps(shown, indent=2))
    else:
        typer.echo(in_words(found))


async def _find(settings: Settings, url: str, directory: Path) -> list[DemoAccount]:
    if not is_loopback(urlsplit(settings.supabase_url).hostname or ""):
        raise DemoRefused("Demo accounts are for one machine only, and the auth service is not on this one.")
    return await ensure_demo_accounts(url, directory)


def _url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _shown(account: DemoAccount, token: str) -> dict[str, str]:
    return {
        "who": account.who,
        "role": account.role,
        "id": account.id,
        "email": account.email,
        "password": account.password,
        "access_token": token,
    }
