"""Side by side: ranges of the log's parts filled by a process each, for long logs on machines with several cores.

Every process goes on from the cursors and moves its own, so one that dies has done no harm: what it left over is filled
by whoever is next. The processes end with the one that started them, however that ends.
"""

import asyncio
import os
import pickle
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import uvloop

from adapters.memory import settle_memory
from eventstore.record import PARTS
from projections.projection import Projection
from workers.filling import FLUSH, Filling, Goal
from workers.generations import connect

WORTH = 200_000
"""Positions from which on starting processes pays."""
MOST = 8


class Share(NamedTuple):
    """What one process fills."""

    dsn: str
    projection: Projection
    generation: int
    goal: Goal


async def fill_side_by_side(
    dsn: str, projection: Projection, generation: int, goal: Goal, *, processes: int
) -> AsyncGenerator[int]:
    """Fill what is behind the goal in so many processes; yield how far the slowest has come.

    Nothing is promised: fill what is left afterwards.
    """
    bounds = [PARTS * n // processes for n in range(processes + 1)]
    reached = [0] * processes
    grown: asyncio.Queue[None] = asyncio.Queue()

    async def follow(n: int) -> None:
        parts = {part: end for part, end in goal.items() if bounds[n] <= part < bounds[n + 1]}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.side_by_side"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin  # noqa: S101  mypy
        assert process.stdout  # noqa: S101  mypy
        try:
            process.stdin.write(pickle.dumps(Share(dsn, projection, generation, parts)))
            await process.stdin.drain()
            async for line in process.stdout:
                reached[n] = int(line)
                grown.put_nowait(None)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    following = [asyncio.create_task(follow(n)) for n in range(processes)]
    try:
        all_done = asyncio.gather(*following, return_exceptions=True)
        all_done.add_done_callback(lambda _: grown.put_nowait(None))
        while not all_done.done():
            await grown.get()
            yield min(reached)
    finally:
        for task in following:
            task.cancel()
        await asyncio.wait(following)


async def _fill(share: Share) -> None:
    reading, writing = await connect(share.dsn), await connect(share.dsn)
    settle_memory()
    filling = Filling(reading, writing, share.projection, share.generation, flush=FLUSH)
    async with aclosing(filling.fill(share.goal)) as written:
        async for reached in written:
            print(reached, flush=True)  # noqa: T201  the parent reads it


def _end_with_the_parent() -> None:
    """Wait until whoever started this process is gone, and end it."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Fill the share that comes on standard input."""
    share: Share = pickle.load(sys.stdin.buffer)  # noqa: S301  written by our own parent
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    uvloop.run(_fill(share))
    os._exit(0)


if __name__ == "__main__":
    main()
