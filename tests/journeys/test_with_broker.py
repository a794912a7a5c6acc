"""One machine with a broker, one command: the whole shape, from an installed RabbitMQ or from one that is given."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from adapters.broker.topology import Topology
from adapters.settings import read_environment_file
from cli.demo_accounts import demo_accounts_file
from tests.broker import remove
from tests.journeys.test_one_machine import Running, wait_until_free
from tests.workers.running import eventually

NOT_INSTALLED = """
import pathlib, sys
import adapters.embedded.rabbitmq as rabbitmq
rabbitmq._PACKAGED = pathlib.Path("/nothing")
sys.argv[1:] = ["up", "--broker", "--port", "0", "--data-dir", sys.argv[1]]
import cli.main
cli.main.main()
"""
Start = Callable[..., Running]


@pytest.fixture
def start(machine: Path) -> Iterator[Start]:
    """Return what starts a system with a broker, and ends it after the test."""
    started: list[Running] = []

    def start(**settings: str) -> Running:
        started.append(Running(machine / uuid4().hex, "--broker", **settings))
        return started[-1]

    yield start
    for running in started:
        running.process.terminate()
        running.finish()
        running.close()


def settings_of(running: Running) -> dict[str, str]:
    return read_environment_file(running.directory / "environment")


async def relays_everything(running: Running) -> None:
    """Wait until the broker has confirmed the whole log, which holds at least the demo accounts."""
    connection = await asyncpg.connect(settings_of(running)["AFTERSCHOOL_DATABASE_URL"])

    async def is_confirmed() -> bool:
        head = await connection.fetchval("select max(position) from events")
        return bool(head) and head == await connection.fetchval("select position from fanout.relay")

    await eventually(is_confirmed)
    await connection.close()


def projector_says(running: Running) -> dict[str, float]:
    """Return the metrics of the projector, by name."""
    line = next(line for line in running.said if "(projector)" in line)
    port = re.search(r"(\d+) \(projector\)", line)
    assert port
    with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics", timeout=30) as answer:
        samples = [one.rsplit(" ", 1) for one in answer.read().decode().splitlines() if not one.startswith("#")]
    return {name: float(value) for name, value in samples}


def practise(running: Running, url: str) -> dict[str, Any]:
    """Report practice of the demo child's, and return the summary that holds it."""
    accounts = json.loads(demo_accounts_file(running.directory).read_text(encoding="utf-8"))
    child = next(account for account in accounts if account["who"] == "child")
    with httpx.Client(base_url=url, timeout=30) as api:
        signed_in = api.post("/auth/login", json={"email": child["email"], "password": child["password"]}).json()
        api.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        report = {"subject": "math", "topic": "fractions", "score": 87.5, "time_spent": 60, "completed": True}
        posted = api.post("/progress", json=report | {"student_id": child["id"]})
        position = posted.headers["Event-Position"]
        summary = api.get(f"/progress/{child['id']}", params={"min_position": position})
    assert "Stale-By" not in summary.headers
    return dict(summary.json())


async def is_fed_by_the_broker(running: Running) -> None:
    """Wait until the projector reads all queues and nothing from the log."""

    async def reads_queues() -> bool:
        with suppress(OSError):
            said = projector_says(running)
            return (said["afterschool_projector_queues"], said["afterschool_projector_tailed_parts"]) == (4, 0)
        return False

    await eventually(reads_queues)


async def test_everything_runs_recovers_and_stops_within_five_seconds_without_a_trace(start: Start) -> None:
    running = start()
    url = running.wait_until_ready()
    for part in ("rabbitmq", "relay"):
        assert any(re.match(rf"  {part} .*\d\.\d s$", line) for line in running.said)
    await relays_everything(running)
    await is_fed_by_the_broker(running)
    received = projector_says(running)["afterschool_projector_messages_total"]
    assert practise(running, url)["self_reported"]["records"] == 1
    assert projector_says(running)["afterschool_projector_messages_total"] > received

    for name in ("run/relay", "run/projector", "rabbitmq/pid"):
        os.kill(int((running.directory / name).read_text(encoding="utf-8")), signal.SIGKILL)
        running.wait_for(re.compile("is up again"))
    assert practise(running, url)["self_reported"]["records"] == 2
    await relays_everything(running)
    await is_fed_by_the_broker(running)
    assert practise(running, url)["self_reported"]["records"] == 3

    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.finish() == 0
    assert time.monotonic() - began < 5
    assert running.alive() == []


async def test_no_process_outlives_a_killed_supervisor(start: Start) -> None:
    running = start()
    running.wait_until_ready()

    running.process.kill()
    running.process.wait()

    ours = [running.directory / name for name in ("run/relay", "rabbitmq/pid", "rabbitmq/epmd-pid")]
    for lock in (*ours, *running.locks().values()):
        await asyncio.to_thread(wait_until_free, lock)

    async def nobody_is_left() -> bool:
        return running.alive() == []

    await eventually(nobody_is_left, within=10)


async def test_a_broker_that_is_given_is_used_and_none_is_started(start: Start, rabbitmq: str) -> None:
    running = start(AFTERSCHOOL_RABBITMQ_URL=rabbitmq)
    running.wait_until_ready()

    await relays_everything(running)

    assert settings_of(running)["AFTERSCHOOL_RABBITMQ_URL"] == rabbitmq
    assert not (running.directory / "rabbitmq").exists()
    running.process.terminate()
    assert running.finish() == 0
    await remove(Topology(), rabbitmq)


def test_where_no_rabbitmq_is_installed_it_says_so_before_anything_starts(machine: Path) -> None:
    refused = python(NOT_INSTALLED, str(machine / uuid4().hex), PATH="/nothing")

    assert refused.returncode == 1
    assert "RabbitMQ is not installed: `apt-get install rabbitmq-server`" in refused.stderr
    assert "postgres" not in refused.stdout


def test_without_a_broker_nothing_that_speaks_to_one_is_loaded() -> None:
    loaded = python("import cli.up, cli.machine, cli.serve, cli.project, sys; print(*sys.modules)")

    assert "cli.machine" in loaded.stdout
    assert not re.findall(r"\S*(?:pika|rabbit|aiormq|broker)\S*", loaded.stdout)


def python(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
