"""One machine, one command: real processes, from the first line to the last, through every kind of death."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.embedded.process import hold
from adapters.settings import read_environment_file

READY = re.compile(r"Afterschool is ready: (http://127\.0\.0\.1:\d+)/docs")
PARTS = ("postgres", "valkey", "auth", "projector", "housekeeper", "api")


class Running:
    """One `afterschool up` and the directory it runs in."""

    def __init__(self, directory: Path, *options: str, **settings: str) -> None:
        self.directory = directory
        self.said: list[str] = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERSCHOOL_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--port", "0", "--data-dir", str(directory), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment | settings,
            text=True,
        )

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Read what it says until a line matches; the end of its words fails."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if match := pattern.search(line):
                return match
        pytest.fail(f"no {pattern.pattern} in:\n{''.join(self.said)}")

    def wait_until_ready(self) -> str:
        """Return the address of the API."""
        return self.wait_for(READY)[1]

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        assert self.process.stdout is not None
        self.said += self.process.stdout
        return self.process.wait()

    def close(self) -> None:
        """Let go of the pipe."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def locks(self) -> dict[str, Path]:
        """Return the file each part keeps locked while it lives, with its process id in it."""
        return {
            "postgres": self.directory / "postgres" / "pid",
            "valkey": self.directory / "valkey" / "pid",
            **{name: self.directory / "run" / name for name in PARTS[2:]},
        }

    def process_id(self, part: str) -> int:
        return int(self.locks()[part].read_text(encoding="utf-8"))

    def alive(self) -> list[str]:
        """Name the parts that live, and whatever else names the directory."""
        parts = [name for name, lock in self.locks().items() if not is_free(lock)]
        return parts + [str(process) for process in Path("/proc").glob("[0-9]*") if self.belongs_here(process)]

    def belongs_here(self, process: Path) -> bool:
        if process.name == str(os.getpid()):
            return False
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            return False
        return str(self.directory).encode() in words


def is_free(lock: Path) -> bool:
    held = hold(lock)
    if held is not None:
        os.close(held)
    return held is not None


def wait_until_free(lock: Path) -> None:
    """Wait until nobody holds it; the test's time limit ends a wait that is in vain."""
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def call(url: str, body: dict[str, object] | None = None) -> dict[str, object]:
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})  # noqa: S310  our own server
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=30) as answer:  # noqa: S310  our own server
        content: dict[str, object] = json.loads(answer.read())
    return content


Start = Callable[..., Running]


def starter(place: Path) -> Iterator[Start]:
    started: list[Running] = []

    def start(name: str, *options: str) -> Running:
        started.append(Running(place / name, *(options or ("--no-starter",))))
        return started[-1]

    yield start
    for running in started:
        running.process.terminate()
        running.finish()
        running.close()


@pytest.fixture
def start(machine: Path) -> Iterator[Start]:
    """Return what starts a system in a directory of that name, and ends it after the test."""
    yield from starter(machine / uuid4().hex)


@pytest.fixture(scope="module")
def up(machine: Path) -> Iterator[tuple[Running, str]]:
    """Return a system that is up, and its address, for the tests that leave it so."""
    for start in starter(machine / uuid4().hex):
        running = start("up")
        yield running, running.wait_until_ready()


def test_it_says_what_is_up_and_sigterm_stops_everything_within_five_seconds(start: Start) -> None:
    running = start("one")
    url = running.wait_until_ready()
    assert running.said[0] == "Starting Afterschool\n"
    for part in (*PARTS, "migrations"):
        assert any(re.match(rf"  {part} .*\d\.\d s$", line) for line in running.said)
    assert any("demo.parent@example.org" in line for line in running.said)
    assert call(f"{url}/health/ready")["status"] == "ready"

    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    code = running.finish()

    assert time.monotonic() - began < 5
    assert code == 0
    assert running.alive() == []


def test_a_new_bank_begins_with_questions_of_our_own_and_gets_them_once(start: Start) -> None:
    first = start("up", "--starter")
    first.wait_until_ready()
    first.process.terminate()
    first.finish()

    second = start("up", "--starter")
    second.wait_until_ready()

    filled = re.compile(r"^  questions +2,3\d\d published ", re.MULTILINE)
    assert (len(filled.findall("".join(first.said))), len(filled.findall("".join(second.said)))) == (1, 0)


def test_no_process_outlives_a_killed_supervisor(start: Start) -> None:
    running = start("one")
    running.wait_until_ready()

    running.process.kill()
    running.process.wait()

    for lock in running.locks().values():
        wait_until_free(lock)
    assert running.alive() == []


def test_what_was_acknowledged_is_there_after_everything_was_killed(start: Start) -> None:
    running = start("one")
    url = running.wait_until_ready()
    parent = {"email": "ada@example.org", "password": "a long enough password", "role": "parent"}
    profile = {"name": "Ada", "grade_level": 3, "learning_preferences": []}
    user = call(f"{url}/users", parent | {"profile": profile})
    running.process.send_signal(signal.SIGSTOP)  # or it would start again what dies first
    for part in PARTS:
        os.kill(running.process_id(part), signal.SIGKILL)
    running.process.kill()
    running.process.wait()

    again = start("one")
    url = again.wait_until_ready()

    assert {"access_token", "refresh_token"} <= call(
        f"{url}/auth/login", {k: parent[k] for k in ("email", "password")}
    ).keys()
    assert user["email"] == parent["email"]


def test_a_part_that_is_killed_comes_back_where_it_was(up: tuple[Running, str]) -> None:
    running, url = up
    before = read_environment_file(running.directory / "environment")

    for part in PARTS:
        os.kill(running.process_id(part), signal.SIGKILL)
        running.wait_for(re.compile(f"{part} is up again"))

    assert call(f"{url}/health/live")
    assert read_environment_file(running.directory / "environment") == before


def test_a_second_one_in_the_same_directory_is_refused_in_a_sentence(up: tuple[Running, str]) -> None:
    running, url = up

    second = subprocess.run(
        [sys.executable, "-m", "cli.main", "up", "--port", "0", "--data-dir", str(running.directory)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert second.stderr.startswith(f"Afterschool runs in {running.directory} already: stop it first, or choose")
    assert call(f"{url}/health/live")


def test_two_of_them_run_on_one_machine_and_keep_their_ports_over_a_restart(
    start: Start, up: tuple[Running, str]
) -> None:
    second = start("second")
    url = second.wait_until_ready()
    before = read_environment_file(second.directory / "environment")
    assert url != up[1]
    assert call(f"{up[1]}/health/live")
    second.process.terminate()
    assert second.finish() == 0

    again = start("second")
    again.wait_until_ready()

    after = read_environment_file(again.directory / "environment")
    kept = {"AFTERSCHOOL_DATABASE_URL", "AFTERSCHOOL_REDIS_URL", "AFTERSCHOOL_SUPABASE_URL"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_it_can_be_stopped_while_it_starts(start: Start) -> None:
    running = start("one")
    running.wait_for(re.compile("valkey"))

    running.process.send_signal(signal.SIGINT)

    assert running.finish() == 0
    assert running.alive() == []


def test_a_port_that_is_taken_is_said_before_anything_starts(up: tuple[Running, str], machine: Path) -> None:
    port = up[1].rsplit(":", 1)[1]

    second = subprocess.run(
        [sys.executable, "-m", "cli.main", "up", "--port", port, "--data-dir", str(machine / uuid4().hex)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert f"Another program listens on port {port}" in second.stderr
    assert "postgres" not in second.stdout
