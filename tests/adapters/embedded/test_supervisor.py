"""Supervisor: what dies is started again where it was, and everything stops in order and in time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.embedded.loopback import free_port
from adapters.embedded.process import DidNotStart
from adapters.embedded.program import Program, answers
from adapters.embedded.supervisor import Supervisor

SERVER = """
import http.server, os, signal, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

def leave(*_):
    with open(sys.argv[2], "a") as order:
        order.write(sys.argv[3] + "\\n")
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if sys.argv[4:] == ["stubborn"] else leave)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
MakeProgram = Callable[..., Program]


class Lines:
    """What the supervisor says, and a way to wait for a line."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.said.append(line)
        self._news.set()

    async def wait_for(self, words: str) -> None:
        while not any(words in line for line in self.said):
            self._news.clear()
            await self._news.wait()


@pytest.fixture
def program(tmp_path: Path) -> MakeProgram:
    def make(name: str, *words: str) -> Program:
        port = free_port()
        return Program(
            name,
            [sys.executable, "-c", SERVER, str(port), str(tmp_path / "order"), name, *words],
            lock=tmp_path / f"{name}.lock",
            log=tmp_path / f"{name}.log",
            environment=os.environ,
            port=port,
            path="/",
        )

    return make


@pytest.fixture
def lines() -> Lines:
    return Lines()


async def test_what_dies_is_started_again_at_the_same_address_and_said(program: MakeProgram, lines: Lines) -> None:
    api = program("api")
    supervisor = Supervisor([(1, [api])], lines)
    await supervisor.start(api)
    assert api.process is not None

    api.process.kill()
    await lines.wait_for("api is up again")

    assert any("api was ended by SIGKILL; starting it again" in line for line in lines.said)
    assert await answers(int(api.address.split(":")[1]), "/")
    await supervisor.stop()


async def test_what_keeps_failing_is_tried_again_and_can_still_be_stopped(lines: Lines, tmp_path: Path) -> None:
    once = tmp_path / "once"
    part = Program(
        "once",
        ["/bin/sh", "-c", f"test -e {once} && exit 7; touch {once}; sleep 60"],
        lock=tmp_path / "lock",
        log=tmp_path / "log",
        environment=os.environ,
    )
    supervisor = Supervisor([(1, [part])], lines)
    await supervisor.start(part)
    assert part.process is not None

    part.process.kill()
    await lines.wait_for("once ended with exit code 7")

    await supervisor.stop()
    assert part.process is None


async def test_the_last_stage_is_stopped_first(program: MakeProgram, lines: Lines, tmp_path: Path) -> None:
    database, worker, api = program("database"), program("worker"), program("api")
    supervisor = Supervisor([(1, [database]), (1, [worker]), (1, [api])], lines)
    await supervisor.start(database, worker, api)

    await supervisor.stop()

    assert (tmp_path / "order").read_text(encoding="utf-8").split() == ["api", "worker", "database"]


async def test_what_does_not_stop_in_time_is_killed(program: MakeProgram, lines: Lines) -> None:
    stubborn = program("stubborn", "stubborn")
    supervisor = Supervisor([(0.2, [stubborn])], lines)
    await supervisor.start(stubborn)
    process = stubborn.process
    assert process is not None

    began = time.monotonic()
    await supervisor.stop()

    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 2


async def test_a_part_that_ends_before_it_is_ready_fails_the_start_and_names_its_log(
    program: MakeProgram, lines: Lines, tmp_path: Path
) -> None:
    good = program("good")
    bad = Program(
        "bad",
        ["/bin/sh", "-c", "exit 3"],
        lock=tmp_path / "bad.lock",
        log=tmp_path / "bad.log",
        environment=os.environ,
        port=free_port(),
        path="/",
    )
    supervisor = Supervisor([(1, [good, bad])], lines)

    with pytest.raises(DidNotStart, match=f"bad did not start.*{tmp_path / 'bad.log'}"):
        await supervisor.start(good, bad)

    await supervisor.stop()
    assert good.process is None
