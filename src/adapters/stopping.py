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
        await end(working, stopping)
    if not working.cancelled():
        working.result()


async def end(*tasks: "asyncio.Task[None] | asyncio.Task[bool]") -> None:
    """Cancel tasks until they end: once is not always enough.

    `wait_for` of Python 3.11, which redis-py uses, may swallow a cancellation, and a query of asyncpg that is cancelled
    waits until a Postgres, which may be silent, has said so.
    """
    while left := {task for task in tasks if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.2)


async def finish(farewell: Coroutine[None, None, None]) -> None:
    """Do what must not be left half done and takes no long time, however often this task is cancelled meanwhile."""
    task = asyncio.create_task(farewell)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    task.result()
