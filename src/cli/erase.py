"""`afterschool erase`: the operator has somebody forgotten, as who cannot sign in any more may ask for."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

import typer

from adapters.settings import load_settings
from adapters.wiring import open_backend
from cli.exits import FAILED, UNREACHABLE, plain_errors
from commands.erase_user import EraseUser, erase_user
from domain.cause import OPERATOR, Cause, Receipt
from domain.errors import NotAllowed, Unavailable

app = typer.Typer()


@app.command()
def erase(
    user_id: Annotated[UUID, typer.Argument(help="Id of the account.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
) -> None:
    """Have somebody forgotten for good: a student, or a parent with the guardianships and consents that end with it.

    It stands in the log with the operator as its actor; `afterschool housekeep` does the rest. Nothing brings back what
    was erased. Ends with 1 where there is no such account, or no more.

    Example: afterschool erase 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11
    """
    if not yes:
        typer.confirm("Nobody can undo this. Erase?", abort=True)
    command_id = uuid4()
    cause = Cause(
        command_id=command_id,
        operation="EraseUser",
        actor=OPERATOR,
        occurred_at=datetime.now(UTC),
        body=user_id.bytes,
        correlation_id=command_id,
        causation_id=command_id,
    )

    async def run() -> Receipt:
        async with open_backend(load_settings()) as backend:
            return await erase_user(backend.log, EraseUser(cause=cause, user_id=user_id))

    with plain_errors():
        try:
            receipt = asyncio.run(run())
        except NotAllowed:
            typer.echo("There is no such account, or no more.", err=True)
            raise typer.Exit(FAILED) from None
        except Unavailable as error:
            typer.echo(error.message, err=True)
            raise typer.Exit(UNREACHABLE) from None
    typer.echo(f"Done; the log holds it at {receipt.last}. The housekeeper does the rest.")
