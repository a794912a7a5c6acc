"""Over HTTP: durable POSTs and cached GETs of progress, against the same routes doing nothing and a bare application.

One process serves (the real API on uvicorn), one sends (raw sockets, each the next request when the last is answered),
Postgres and Valkey are processes of their own. During the POSTs no projector runs: it would take the same share of the
two cores from one side only.
"""

import json
from functools import partial
from pstats import Stats

from benchmarks.figure import Figure, Side, in_turns
from benchmarks.load import NUMBER, Plan, request, send_from_another_process
from benchmarks.machine import Machine
from benchmarks.system import Student, System, running_system

POSTING = 64
READING = 32
"""Connections, each of another student."""
PRACTISED = 20
"""Topics that each reader's summary holds."""


async def measure_post(machine: Machine, seconds: float) -> list[Figure]:
    """POST /progress, every one with a key of its own, answered when it is on disk."""
    async with running_system(machine, projector=False) as system:
        students = await system.register(POSTING)
        real, nothing = _posting(system, students, "/progress"), _posting(system, students, "/nothing")
        await real(0.5)
        value, against = await in_turns(real, nothing, seconds=seconds)
    peer = f"the same route recording nothing, {POSTING} connections"
    return [Figure(name="post_progress_vs_noop", value=value, unit="requests/s", peer=peer, against=against)]


async def measure_get(machine: Machine, seconds: float) -> list[Figure]:
    """GET /progress/{student_id}, served from Valkey."""
    async with running_system(machine, projector=True, bare=True) as system:
        students = await _practised(system)
        real, nothing = _reading(system, students, "/progress"), _reading(system, students, "/nothing")
        bare = _reading(system, students, "/progress", system.bare_port)
        await real(0.5)
        value, constant, bytes_only = await in_turns(real, nothing, bare, seconds=seconds)
    return [
        Figure(
            name="get_progress_vs_noop",
            value=value,
            unit="requests/s",
            peer=f"the same route returning constant bytes, {READING} connections",
            against=constant,
        ),
        Figure(
            name="get_progress_vs_bare",
            value=value,
            unit="requests/s",
            peer="a bare FastAPI endpoint returning these bytes",
            against=bytes_only,
        ),
    ]


async def profile_post(machine: Machine, seconds: float) -> Stats:
    """Profile the server on our side alone."""
    profile = machine.directory / "profile"
    async with running_system(machine, projector=False, profile=profile) as system:
        await _posting(system, await system.register(POSTING), "/progress")(seconds)
    return Stats(str(profile))


async def profile_get(machine: Machine, seconds: float) -> Stats:
    """Profile the server on our side alone."""
    profile = machine.directory / "profile"
    async with running_system(machine, projector=True, profile=profile) as system:
        await _reading(system, await _practised(system), "/progress")(seconds)
    return Stats(str(profile))


def practice(student: Student, topic: str = "fractions") -> bytes:
    """Return the body of a practice report."""
    report = {"student_id": student.id, "subject": "math", "topic": topic, "score": 50, "time_spent": 60}
    return json.dumps({**report, "completed": True}).encode()


async def _practised(system: System) -> list[Student]:
    """Register readers, give each a summary of some topics, and keep the bytes of one for the constant answers."""
    students = await system.register(READING)
    for topic in range(PRACTISED):
        reports = [
            request("POST", "/progress", body=practice(student, f"topic-{topic}"), token=student.token)
            for student in students
        ]
        await send_from_another_process(Plan(system.port, 0, 201, reports))
    last = READING * (PRACTISED + 1)
    system.summary.write_bytes([await system.read_summary(student, last) for student in students][-1])
    return students


def _posting(system: System, students: list[Student], path: str) -> Side:
    keyed = partial(request, "POST", path, key=NUMBER.decode())
    requests = [keyed(body=practice(student), token=student.token) for student in students]
    return lambda seconds: send_from_another_process(Plan(system.port, seconds, 201, requests))


def _reading(system: System, students: list[Student], path: str, port: int = 0) -> Side:
    requests = [request("GET", f"{path}/{student.id}", token=student.token) for student in students]
    return lambda seconds: send_from_another_process(Plan(port or system.port, seconds, 200, requests))
