"""Embedded RabbitMQ: a private node behind a password, whole after a kill, gone without a trace when stopped."""

import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.exceptions import ProbableAuthenticationError

from adapters.broker.connection import connect
from adapters.embedded import rabbitmq
from adapters.embedded.loopback import is_free
from adapters.embedded.rabbitmq import EmbeddedRabbitMQ, RabbitMQNotInstalled
from tests.adapters.embedded.test_process import wait_until_free
from tests.workers.running import eventually

PARENT = """
import asyncio, sys
from pathlib import Path
from adapters.embedded.rabbitmq import EmbeddedRabbitMQ

async def main(directory):
    await EmbeddedRabbitMQ(Path(directory)).start()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
async def server(machine: Path) -> AsyncIterator[EmbeddedRabbitMQ]:
    server = EmbeddedRabbitMQ(machine / "a-rabbitmq")
    await server.start()
    yield server
    await server.stop()


def directory_of(server: EmbeddedRabbitMQ) -> Path:
    return Path(server.environment["HOME"])


def processes_of(directory: Path) -> list[str]:
    """Return the ids of all processes that were started for this directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if f"{directory}".encode() in words and process.name != str(os.getpid()):
            found.append(process.name)
    return found


async def knows_its_queue(directory: Path, name: str) -> None:
    """Wait until the node has written down that it has this queue: RabbitMQ 3.10 does so a moment after the answer."""
    [names] = directory.glob("data/*/quorum/*/names.dets")

    async def is_there() -> bool:
        return f"_{name}".encode() in names.read_bytes()

    await eventually(is_there)


@pytest.mark.parametrize("user", ["guest:guest", "afterschool:guess"])
async def test_nobody_gets_in_without_the_password(server: EmbeddedRabbitMQ, user: str) -> None:
    with pytest.raises(ProbableAuthenticationError):
        await connect(f"amqp://{user}@{server.address}/", name="tests")


async def test_it_listens_on_loopback_only(server: EmbeddedRabbitMQ) -> None:
    assert server.process
    sockets = set()
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            sockets.add(str(link.readlink()))
    lines = [
        line.split() for family in ("tcp", "tcp6") for line in Path(f"/proc/net/{family}").read_text().splitlines()
    ]

    listening = [words[1] for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in sockets]

    assert len(listening) == 2
    assert all(address.startswith("0100007F:") for address in listening)


async def test_its_secrets_are_for_its_owner_only_and_on_no_command_line(server: EmbeddedRabbitMQ) -> None:
    directory = directory_of(server)
    secrets = [(directory / name).read_text(encoding="utf-8") for name in ("password", ".erlang.cookie")]
    told = b"".join(
        Path(f"/proc/{process}/{what}").read_bytes()
        for process in processes_of(directory)
        for what in ("cmdline", "environ")
    )

    assert secrets[0] in server.url
    assert not [secret for secret in secrets if secret.encode() in told]
    for name in ("password", ".erlang.cookie", "rabbitmq.conf"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


async def test_what_it_confirmed_is_there_after_a_kill_at_the_same_address(server: EmbeddedRabbitMQ) -> None:
    before = server.url
    async with await connect(before, name="tests") as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = Message(b"confirmed", delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    await knows_its_queue(directory_of(server), "kept")
    assert server.process
    server.process.kill()
    await server.process.wait()

    await server.start()

    assert server.url == before
    async with await connect(before, name="tests") as connection:
        queue = await (await connection.channel()).get_queue("kept")
        assert (await queue.get(no_ack=True)).body == b"confirmed"


async def test_no_process_outlives_a_killed_supervisor_and_the_next_one_starts(machine: Path) -> None:
    directory = machine / "orphaned-rabbitmq"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stdout.readline() == "ready\n"
    assert len(processes_of(directory)) > 2

    parent.kill()
    parent.communicate()

    again = EmbeddedRabbitMQ(directory)
    await again.start()
    await again.stop()
    for lock in ("pid", "epmd-pid"):
        wait_until_free(directory / lock)
    assert processes_of(directory) == []


async def test_a_stopped_server_can_be_stopped_again(machine: Path) -> None:
    server = EmbeddedRabbitMQ(machine / "never-started-rabbitmq")

    await server.stop()

    assert server.process is None


async def test_where_none_is_installed_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "_PACKAGED", tmp_path / "nothing")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RabbitMQNotInstalled, match=r"apt-get install rabbitmq-server.*AFTERSCHOOL_RABBITMQ_URL"):
        await EmbeddedRabbitMQ(tmp_path).start()


async def test_an_epmd_that_erlang_started_in_the_place_of_ours_ends_as_well(machine: Path) -> None:
    server = EmbeddedRabbitMQ(machine / "another-rabbitmq")
    await server.start()
    assert server._names
    server._names.kill()
    await server._names.wait()
    port = server._names_port

    async def nobody_listens() -> bool:
        return is_free(port)

    await eventually(nobody_listens)
    subprocess.run([str(rabbitmq._find_epmd()), "-daemon", "-port", str(port), "-address", "127.0.0.1"], check=True)

    await server.stop()

    await eventually(nobody_listens)
