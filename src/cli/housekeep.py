"""`afterschool housekeep`: the housekeeper as a process of its own."""

import typer

from cli.worker import run_worker
from workers.run_housekeeper import run_housekeeper

app = typer.Typer()


@app.command()
def housekeep() -> None:
    """Finish erasures, keep to the schedule of retention, and hash the read ledger.

    What was erased in the log is finished outside of it within a second; what the schedule says must go, goes every
    day; the read ledger is hashed into the log every hour. AFTERSCHOOL_ERASURE_LEDGER names the file that keeps who
    was erased; it must not be lost with the database. SIGTERM and SIGINT stop it.

    Example: AFTERSCHOOL_ERASURE_LEDGER=/srv/erasures.jsonl afterschool housekeep
    """
    run_worker(run_housekeeper)
