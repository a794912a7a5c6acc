"""Pgbench: what Postgres itself does with one-row inserts that keep no order and promise nothing but durability."""

import asyncio
import re
from asyncio.subprocess import PIPE
from pathlib import Path

import asyncpg

from benchmarks.machine import postgres_program

CLIENTS = 16


class Pgbench:
    """Inserts into a table of four columns with a sequence and no other index, from 16 clients, prepared."""

    def __init__(self, dsn: str, directory: Path, data: str) -> None:
        self._dsn = dsn
        self._script = directory / "insert.sql"
        data = data.replace('":', '": ')  # pgbench takes a colon and a number for one of its variables
        stream = "00000000-0000-0000-0000-000000000000"
        self._script.write_text(
            f"insert into bare (stream, type, data) values ('{stream}', 'ProgressRecorded', '{data}');\n",
            encoding="utf-8",
        )

    async def prepare(self) -> None:
        """Make the table."""
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(
                "create table bare (id bigserial primary key, stream uuid not null, type text not null, "
                "data json not null)"
            )
        finally:
            await connection.close()

    async def rate(self, seconds: float) -> float:
        """Return inserts a second."""
        clients = ("-c", str(CLIENTS), "-j", "2", "-T", str(max(1, round(seconds))))
        process = await asyncio.create_subprocess_exec(
            postgres_program("pgbench"), "-n", "-M", "prepared", *clients, "-f", self._script, self._dsn, stdout=PIPE
        )
        output, _ = await process.communicate()
        found = re.search(rb"tps = ([\d.]+)", output)
        assert found, "pgbench did not say how fast it was"
        return float(found[1])
