"""One effect: however often a device asks and however it is cut off, its report is in the log once."""

import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from adapters.embedded.loopback import free_port
from adapters.embedded.program import Program
from tests.faults.clients import Device
from tests.faults.journal import Journal
from tests.faults.oracle import LOG
from tests.faults.proxy import Proxy, Towards
from tests.faults.second import ours_apart
from tests.faults.system import System
from tests.faults.verdict import check_commands, check_journal, check_log


@pytest.fixture(scope="module")
async def system(machine: Path) -> AsyncIterator[System]:
    async with System(machine / uuid4().hex) as system:
        yield system


@pytest.fixture(scope="module")
def journal() -> Journal:
    """Return what all devices of this system did."""
    return Journal()


@asynccontextmanager
async def device_at(port: int, journal: Journal, name: str) -> AsyncIterator[Device]:
    """Open a device that is signed in."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
        device = Device(http, journal, random.Random(name), name, "UTC")  # noqa: S311  repeatable
        await device.sign_up()
        yield device


async def check(system: System, journal: Journal) -> None:
    connection = await system.connect()
    rows = [dict(row) for row in await connection.fetch(LOG)]
    check_log(rows)
    await check_commands(connection, rows)
    await connection.close()
    check_journal(journal, rows)
    assert journal.complaints == []
    assert all(sent.answers for sent in journal.sent)


@pytest.mark.parametrize(("towards", "most"), [(Towards.SERVER, 1200), (Towards.CLIENT, 600)])
async def test_a_report_whose_connection_was_cut_takes_effect_once_when_repeated(
    system: System, journal: Journal, towards: Towards, most: int
) -> None:
    async with (
        Proxy("127.0.0.1", system.port) as proxy,
        device_at(proxy.port, journal, f"cut-{towards.value}") as device,
    ):
        for after in range(0, most, most // 30):
            proxy.cut(towards, after=after, reset=after % 2 == 0)
            await device.report()
        assert proxy.cuts > 10

    await check(system, journal)


async def test_a_report_that_was_cancelled_takes_effect_once_when_repeated(system: System, journal: Journal) -> None:
    async with device_at(system.port, journal, "cancelled") as device:
        for _ in range(60):
            await device.hang_up_and_repeat()

    await check(system, journal)


async def test_a_report_sent_on_many_connections_at_once_takes_effect_once(system: System, journal: Journal) -> None:
    async with device_at(system.port, journal, "eager") as device:
        for _ in range(10):
            await device.report_at_once(8)

    await check(system, journal)


async def test_a_commit_whose_answer_was_lost_takes_effect_once(
    system: System, journal: Journal, tmp_path: Path
) -> None:
    address = urlsplit(system.environment["AFTERSCHOOL_DATABASE_URL"])
    async with Proxy("127.0.0.1", address.port or 0) as proxy:
        there = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{proxy.port}")).geturl()
        async with serving(system, tmp_path, there) as port, device_at(port, journal, "unlucky") as device:
            for n in range(40):
                towards = (Towards.CLIENT, Towards.SERVER)[n % 2]
                proxy.cut(towards, after=device.chance.randrange(400), reset=n % 4 < 2)
                await device.report()
            assert proxy.cuts > 20

    await check(system, journal)


@asynccontextmanager
async def serving(system: System, place: Path, database_url: str) -> AsyncIterator[int]:
    """Run one more API that reaches Postgres at another address."""
    port = free_port()
    own = {"AFTERSCHOOL_PORT": str(port), "AFTERSCHOOL_METRICS_PORT": "0", "AFTERSCHOOL_DATABASE_URL": database_url}
    api = Program(
        "api",
        [sys.executable, "-m", "cli.main", "serve"],
        lock=place / "api",
        log=place / "log",
        environment=ours_apart() | system.environment | own,
        port=port,
        path="/health/ready",
    )
    await api.start()
    try:
        yield port
    finally:
        await api.stop()
