"""Stopping: how the tasks of a process end, without one that is left over and without one that is cut off too soon."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress


async def until(stop: asyncio.Event, working: "asyncio.Task[None]") -> None:
    """Let it work until `stop` is set; if it ended by itself, say why."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, stopping):
            await end(task)
    if not working.cancelled():
        working.result()


async def end(task: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
    """Cancel a task until it ends: `wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


async def finish(farewell: Coroutine[None, None, None]) -> None:
    """Do what must not be left half done and takes no long time, however often this task is cancelled meanwhile."""
    task = asyncio.create_task(farewell)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    task.result()
