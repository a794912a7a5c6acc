"""Stepping: readers and projectors that stop at every touch of Redis, so that a test decides who goes next."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from projections.cache import Cached, Lease, Values

Stop = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class SteppingValues:
    """The real cache. A reader stops between its lease, its read of Postgres and its fill, a projector after commit."""

    values: Values
    stop: Stop

    async def lease(self, key: str) -> Cached | Lease | None:
        found = await self.values.lease(key)
        await self.stop()
        return found

    async def fill(self, key: str, lease: Lease, value: bytes, *, position: int, expires_at: datetime) -> bool:
        await self.stop()
        return await self.values.fill(key, lease, value, position=position, expires_at=expires_at)

    async def invalidate(self, positions: Mapping[str, int]) -> None:
        await self.stop()
        await self.values.invalidate(positions)

    async def drop_values(self) -> None:
        await self.stop()
        await self.values.drop_values()


class Actor:
    """Somebody whose work goes on one step at a time."""

    def __init__(self, work: Callable[[Stop], Coroutine[Any, Any, Any]]) -> None:
        self._work = work
        self._task: asyncio.Task[Any] | None = None
        self._stopped = asyncio.Event()
        self._go = asyncio.Event()

    async def step(self) -> None:
        """Go on to the next stop or to the end; after the end nothing happens."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(self._stop))
        self._stopped.clear()
        self._go.set()
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait({stopped, self._task}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._task.done():
            self._task.result()

    async def die(self) -> None:
        """End in the middle of things."""
        assert self._task
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _stop(self) -> None:
        self._go.clear()
        self._stopped.set()
        await self._go.wait()
