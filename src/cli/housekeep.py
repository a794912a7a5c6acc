"""`afterschool housekeep`: the housekeeper as a process of its own."""

import typer

from cli.worker import run_worker
from workers.run_housekeeper import run_housekeeper

app = typer.Typer()


@app.command()
def housekeep() -> None:
    """Finish erasures, let go what the schedule of retention says must go, and hash the read ledger into the log.

    SIGTERM and SIGINT stop it. AFTERSCHOOL_ERASURE_LEDGER names the file that keeps who was erased; it must not be lost
    with the database.

    Example: AFTERSCHOOL_ERASURE_LEDGER=/srv/ledger/erasures.jsonl afterschool housekeep
    """
    run_worker(run_housekeeper)
