"""Figure: one line of the table: what was measured, against what, and what the design asks for."""

import asyncio
import cProfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pstats import Stats
from statistics import median
from typing import NamedTuple, TypeVar

import uvloop

T = TypeVar("T")
Side = Callable[[float], Awaitable[float]]
"""One party of a comparison: it works for some seconds and tells what it did in one."""
ROUNDS = 7


class Goal(NamedTuple):
    """What the design asks of a figure's ratio, or of its value where nothing stands against it."""

    at_least: float
    aim: float
    less_is_better: bool = False


GOALS = {
    "append_256_vs_eventsourcing": Goal(15, 30),
    "append_256_vs_pgbench": Goal(0.7, 1.5),
    "append_10_events_vs_1": Goal(1.7, 3),
    "post_progress_vs_noop": Goal(0.5, 0.8),
    "get_progress_vs_noop": Goal(0.8, 0.95),
    "get_progress_vs_bare": Goal(0.4, 0.7),
    "look_1_vs_get": Goal(0.4, 0.7),
    "look_32_vs_get": Goal(1, 2),
    "visible_p50_ms": Goal(15, 5, less_is_better=True),
    "visible_p99_ms": Goal(100, 30, less_is_better=True),
    "visible_broker_p50_ms": Goal(30, 10, less_is_better=True),
    "visible_broker_p99_ms": Goal(150, 50, less_is_better=True),
    "relay_vs_aio_pika": Goal(0.5, 0.9),
    "projector_vs_single": Goal(30, 60),
    "projector_broker_vs_single": Goal(30, 60),
    "rebuild_vs_copy": Goal(0.3, 0.6),
    "verify_events_per_second": Goal(200_000, 1_000_000),
    "grading": Goal(50_000, 100_000),
    "import_questions": Goal(667, 1_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value, and the value of the peer that was measured in turns with it, if there is one."""

    name: str
    value: float
    unit: str
    peer: str = ""
    against: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value in terms of the peer's."""
        return self.value / self.against if self.against else None

    def reaches(self, bound: float) -> bool:
        """Tell whether the figure is as good as a bound of its goal."""
        shown = self.value if self.ratio is None else self.ratio
        return shown <= bound if GOALS[self.name].less_is_better else shown >= bound


async def in_turns(*sides: Side, seconds: float) -> list[float]:
    """Let every side work in its turn, round after round, and return the median of each."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for results, side in zip(found, sides, strict=True):
            results.append(await side(seconds))
    return [median(results) for results in found]


async def rate(callers: Sequence[Callable[[], Awaitable[object]]], seconds: float) -> float:
    """Let callers repeat themselves for some seconds, each one call after the other; return calls a second."""
    calls = 0
    began = time.perf_counter()
    end = began + seconds

    async def repeat(call: Callable[[], Awaitable[object]]) -> None:
        nonlocal calls
        while time.perf_counter() < end:
            await call()
            calls += 1

    await asyncio.gather(*map(repeat, callers))
    return calls / (time.perf_counter() - began)


async def on_uvloop(work: Coroutine[object, object, T]) -> T:
    """Run this process's side on uvloop, as the API does, in a thread of its own; nothing else runs meanwhile.

    The main thread's loop is asyncio's own, because only that can start Postgres as another user.
    """
    return await asyncio.to_thread(uvloop.run, work)


async def profiled(work: Awaitable[object]) -> Stats:
    """Do some work under the profiler."""
    with cProfile.Profile() as profiler:
        await work
    return Stats(profiler)
