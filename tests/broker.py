"""Broker: a RabbitMQ that a test may stop and kill; native where one is or can be installed, else in Docker."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.broker.connection import connect
from adapters.broker.topology import STUDENTS, Topology
from adapters.embedded.loopback import free_port
from adapters.embedded.rabbitmq import EmbeddedRabbitMQ, find_rabbitmq
from tests.workers.running import eventually

MOST_QUEUES = 4
"""Queues of one group in any test, at most."""
IMAGE = "rabbitmq:4"
INSTALL = Path(__file__).parent / "broker.sh"


class NativeBroker:
    """A private node of an installed server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = EmbeddedRabbitMQ(directory)

    @property
    def url(self) -> str:
        """Address, the same over restarts."""
        return self._server.url

    async def start(self) -> None:
        """Start it, with what it confirmed before."""
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def kill(self) -> None:
        assert self._server.process
        self._server.process.kill()
        await self._server.process.wait()

    async def wipe(self) -> None:
        """Kill it and destroy all that it kept."""
        await self.kill()
        shutil.rmtree(self._directory / "data")

    async def remove(self) -> None:
        """Leave nothing behind but the directory."""
        await self._server.stop()

    async def control(self, *words: str, file: Path | None = None) -> None:
        """Call the broker's own command line, with a file to read."""
        server = find_rabbitmq()
        assert server
        await _call(str(server.with_name("rabbitmqctl")), *words, file=file, environment=self._server.environment)


class DockerBroker:
    """A container of our own, behind a port that it keeps."""

    def __init__(self) -> None:
        self._name = f"afterschool-tests-{uuid4().hex}"
        self._port = free_port()
        self._made = False

    @property
    def url(self) -> str:
        return f"amqp://tests:tests@127.0.0.1:{self._port}/"

    async def start(self) -> None:
        if self._made:
            await self._docker("start", self._name)
        else:
            user = ("--env=RABBITMQ_DEFAULT_USER=tests", "--env=RABBITMQ_DEFAULT_PASS=tests", "--hostname=tests")
            port = f"--publish=127.0.0.1:{self._port}:5672"
            await self._docker("run", "--detach", f"--name={self._name}", port, *user, IMAGE)
            self._made = True
        await eventually(lambda: _answers(self.url), within=90)

    async def stop(self) -> None:
        await self._docker("stop", self._name)

    async def kill(self) -> None:
        await self._docker("kill", self._name)

    async def wipe(self) -> None:
        await self.remove()
        self._made = False

    async def remove(self) -> None:
        await self._docker("rm", "--force", "--volumes", self._name)

    async def control(self, *words: str, file: Path | None = None) -> None:
        await self._docker("exec", "--interactive", self._name, "rabbitmqctl", *words, file=file)

    async def _docker(self, *words: str, file: Path | None = None) -> None:
        await _call("docker", *words, file=file)


Broker = NativeBroker | DockerBroker


@asynccontextmanager
async def running_broker(directory: Path) -> AsyncIterator[Broker]:
    """Run a broker of our own, or fail in one sentence."""
    if not is_native() and not shutil.which("docker"):
        pytest.fail("Tests need RabbitMQ: install rabbitmq-server or Docker, or set AFTERSCHOOL_RABBITMQ_URL.")
    broker = NativeBroker(directory) if is_native() else DockerBroker()
    try:
        await broker.start()
        yield broker
    finally:
        await broker.remove()


def is_native() -> bool:
    """Tell whether RabbitMQ is installed here; root on Debian installs it, and its service is not started."""
    if find_rabbitmq() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run([str(INSTALL)], check=False, stdout=subprocess.DEVNULL)
    return find_rabbitmq() is not None


async def remove(topology: Topology, url: str) -> None:
    """Delete what tests declared under these names; a queue that is not there counts as deleted."""
    async with await connect(url, name="tests") as connection:
        channel = await connection.channel()
        queues = [name for count in range(1, MOST_QUEUES + 1) for name in topology.queue_names(STUDENTS, count)]
        for queue in (*queues, topology.dead, topology.dead_heartbeats):
            await channel.queue_delete(queue)
        for exchange in (topology.exchange, topology.dead):
            await channel.exchange_delete(exchange)


async def _answers(url: str) -> bool:
    try:
        connection = await connect(url, name="tests")
    except OSError:
        return False
    await connection.close()
    return True


async def _call(*command: str, file: Path | None = None, environment: dict[str, str] | None = None) -> None:
    with (file or Path(os.devnull)).open("rb") as given:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=given, stdout=asyncio.subprocess.DEVNULL
        )
    assert await process.wait() == 0, command[:2]
