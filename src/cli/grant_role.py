"""`afterschool grant-role`: who is author, analyst, auditor or admin, given and taken by the operator, as events."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

import typer

from adapters.settings import load_settings
from adapters.wiring import open_backend
from cli.exits import FAILED, UNREACHABLE, plain_errors
from commands import change_role
from commands.change_role import ChangeRole
from commands.ports import Log
from domain.cause import OPERATOR, Cause, Receipt
from domain.errors import NotAllowed, Refused, Unavailable
from domain.events import StaffRole

app = typer.Typer()

Change = Callable[[Log, ChangeRole], Awaitable[Receipt]]


@app.command("grant-role")
def grant_role(
    user_id: Annotated[UUID, typer.Argument(help="Id of an adult's account.")],
    role: Annotated[StaffRole, typer.Argument(help="author, analyst, auditor or admin.")],
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the role back.")] = False,
) -> None:
    """Make an adult author, analyst, auditor or admin, or take that back.

    The account is made like a parent's; a role of staff comes from the operator only, and stands in the log with the
    operator as its actor. Ends with 1 when the role is held, or not held, already.

    Example: afterschool grant-role 5e6f3c4a-8f0e-4d2e-9b0a-3f8f3f3a9c11 analyst
    """
    if revoke:
        _change("RevokeRole", change_role.revoke_role, user_id, role)
    else:
        _change("GrantRole", change_role.grant_role, user_id, role)


def _change(operation: str, change: Change, user_id: UUID, role: StaffRole) -> None:
    command_id = uuid4()
    cause = Cause(
        command_id=command_id,
        operation=operation,
        actor=OPERATOR,
        occurred_at=datetime.now(UTC),
        body=user_id.bytes + role.encode(),
        correlation_id=command_id,
        causation_id=command_id,
    )

    async def run() -> Receipt:
        async with open_backend(load_settings()) as backend:
            return await change(backend.log, ChangeRole(cause=cause, user_id=user_id, role=role))

    with plain_errors():
        try:
            receipt = asyncio.run(run())
        except NotAllowed:
            typer.echo("Only an adult's account can have a role of staff.", err=True)
            raise typer.Exit(FAILED) from None
        except Refused as error:
            typer.echo(error.message, err=True)
            raise typer.Exit(FAILED) from None
        except Unavailable as error:
            typer.echo(error.message, err=True)
            raise typer.Exit(UNREACHABLE) from None
    typer.echo(f"Done; the log holds it at {receipt.last}.")
