"""Process: children do not outlive their parent, and leftovers of an earlier run are found and ended."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.embedded.process import DidNotStart, end, end_leftover, hold, spawn

FOREVER = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
while True:
    signal.pause()
"""
PARENT = """
import asyncio, sys
from pathlib import Path
from adapters.embedded.process import spawn

async def main(lock, log, *command):
    await spawn(command, lock=Path(lock), log=Path(log))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def parent_of(lock: Path, *command: str) -> subprocess.Popen[str]:
    """Start a process that spawns this command, and wait until it has."""
    arguments = [sys.executable, "-c", PARENT, str(lock), f"{lock}.log", *command]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    return parent


def wait_until_free(lock: Path) -> None:
    """Wait until nobody holds the lock; the test's time limit ends a wait that is in vain."""
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


async def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = parent_of(tmp_path / "lock", *FOREVER)
    assert hold(tmp_path / "lock") is None

    parent.kill()
    parent.communicate()

    wait_until_free(tmp_path / "lock")


async def test_a_child_that_ignores_its_stop_signal_is_killed_by_the_next_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    parent = parent_of(tmp_path / "lock", sys.executable, "-S", "-c", STUBBORN, str(tmp_path / "ready"))
    (tmp_path / "ready").read_bytes()
    parent.kill()
    parent.communicate()
    assert hold(tmp_path / "lock") is None

    await end_leftover(tmp_path / "lock", signal.SIGTERM, seconds=0.1)

    wait_until_free(tmp_path / "lock")


async def test_a_leftover_is_ended_before_its_successor_starts(tmp_path: Path) -> None:
    first = await spawn(FOREVER, lock=tmp_path / "lock", log=tmp_path / "log")
    second = await spawn(FOREVER, lock=tmp_path / "lock", log=tmp_path / "log")

    assert await first.wait() == -signal.SIGTERM
    assert second.returncode is None

    await end(second, signal.SIGTERM, 5)


async def test_a_process_that_only_bears_the_id_of_a_dead_child_is_not_harmed(tmp_path: Path) -> None:
    bystander = subprocess.Popen(FOREVER, process_group=0)
    held = hold(tmp_path / "lock")
    assert held is not None
    os.write(held, str(bystander.pid).encode())

    with pytest.raises(DidNotStart, match="cannot be ended"):
        await end_leftover(tmp_path / "lock", signal.SIGTERM, seconds=0.1)

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    os.close(held)


async def test_a_child_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ready")
    stubborn = [sys.executable, "-S", "-c", STUBBORN, str(tmp_path / "ready")]
    process = await spawn(stubborn, lock=tmp_path / "lock", log=tmp_path / "log")
    (tmp_path / "ready").read_bytes()

    went_by_itself = await end(process, signal.SIGTERM, 0.1)

    assert not went_by_itself
    assert process.returncode == -signal.SIGKILL


def test_a_directory_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    held = hold(tmp_path / "lock")
    assert held is not None
    assert hold(tmp_path / "lock") is None

    os.close(held)

    again = hold(tmp_path / "lock")
    assert again is not None
    os.close(again)


async def test_children_do_not_keep_the_lock_of_their_parent(tmp_path: Path) -> None:
    held = hold(tmp_path / "parent")
    assert held is not None
    process = await spawn(FOREVER, lock=tmp_path / "child", log=tmp_path / "log")

    os.close(held)

    again = hold(tmp_path / "parent")
    assert again is not None
    os.close(again)
    await end(process, signal.SIGTERM, 5)
