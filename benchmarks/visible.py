"""Visible: from the answer of a POST until a plain GET shows it, at 200 commands a second; tailing, and by the broker.

The API, the projector, Postgres, Valkey and this client are processes of their own; with the broker, RabbitMQ and the
relay as well. Commands are sent at their time
whether or not earlier ones are answered. Every fourth is then looked for, without `min_position`, until the summary's
`as_of.position` has reached the `Event-Position` of its answer; looking for all of them would be most of the load.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pstats import Stats
from statistics import quantiles

from benchmarks.figure import Figure
from benchmarks.load import Answer, Connection, connect, request
from benchmarks.machine import Machine
from benchmarks.over_http import practice
from benchmarks.system import Student, System, running_system

PER_SECOND = 200
WATCHED = 4
"""One command in so many is looked for."""
STUDENTS = 50
AT_LEAST_SECONDS = 15.0
WARM_UP = 1.0
LOOK_AGAIN = 0.001
"""Seconds between two looks, which is also how exact the figure is."""


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Milliseconds until visible, the middle one and the ninety-ninth of a hundred, over fifteen seconds or more."""
    return await _measure(machine, seconds, "visible")


async def measure_broker(machine: Machine, seconds: float) -> list[Figure]:
    """Measure the same with relay, RabbitMQ and a projector that it feeds."""
    return await _measure(machine, seconds, "visible_broker", broker=await machine.broker())


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile the API meanwhile; the projector has a figure and a profile of its own."""
    return await _profile(machine, seconds)


async def profile_broker(machine: Machine, seconds: float) -> Stats:
    """Profile the API meanwhile; relay and projector have figures and profiles of their own."""
    return await _profile(machine, seconds, broker=await machine.broker())


async def _measure(machine: Machine, seconds: float, name: str, broker: str = "") -> list[Figure]:
    async with running_system(machine, projector=True, broker=broker) as system:
        seen = await _watch(system, await system.register(STUDENTS), max(AT_LEAST_SECONDS, seconds))
    percentiles = quantiles(seen, n=100)
    peer = f"no peer: {len(seen)} of the commands at {PER_SECOND}/s"
    return [
        Figure(name=f"{name}_p50_ms", value=percentiles[49], unit="ms", peer=peer),
        Figure(name=f"{name}_p99_ms", value=percentiles[98], unit="ms", peer=peer),
    ]


async def _profile(machine: Machine, seconds: float, broker: str = "") -> Stats:
    found = machine.directory / "profile"
    async with running_system(machine, projector=True, broker=broker, profile=found) as system:
        await _watch(system, await system.register(STUDENTS), seconds)
    return Stats(str(found))


async def _watch(system: System, students: list[Student], seconds: float) -> list[float]:
    """Send at a steady pace; return the milliseconds of every command sent after the warm-up."""
    sockets: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    loop = asyncio.get_running_loop()
    began = loop.time()
    commands = []
    for n in range(int(PER_SECOND * (WARM_UP + seconds))):
        await asyncio.sleep(began + n / PER_SECOND - loop.time())
        sent = _until_visible(system.port, sockets, students[n % len(students)], watched=n % WATCHED == 0)
        commands.append(asyncio.create_task(sent))
    seen = await asyncio.gather(*commands)
    while not sockets.empty():
        sockets.get_nowait().close()
    return seen[int(PER_SECOND * WARM_UP) :: WATCHED]


async def _until_visible(
    port: int, sockets: asyncio.LifoQueue[Connection], student: Student, *, watched: bool
) -> float:
    """Record practice and return after how many milliseconds a GET shows it, if this one is looked for."""
    post = request("POST", "/progress", body=practice(student), token=student.token)
    get = request("GET", f"/progress/{student.id}", token=student.token)
    async with _socket(port, sockets) as socket:
        recorded = await socket.ask(post)
        committed = time.perf_counter()
        position = int(recorded.header("event-position") or 0)
        assert position, f"POST was answered {recorded.status}"
        while watched and _position(await socket.ask(get)) < position:  # noqa: ASYNC110  the event is in another process
            await asyncio.sleep(LOOK_AGAIN)
        return 1000 * (time.perf_counter() - committed)


def _position(answer: Answer) -> int:
    return int(json.loads(answer.body)["as_of"]["position"])


@asynccontextmanager
async def _socket(port: int, sockets: asyncio.LifoQueue[Connection]) -> AsyncIterator[Connection]:
    socket = await connect(port) if sockets.empty() else sockets.get_nowait()
    yield socket
    sockets.put_nowait(socket)
