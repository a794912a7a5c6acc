"""Running: a projector at work in the background, and waiting until something is true."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from adapters.stopping import end
from tests.workers.conftest import Platform
from workers.projector import Projector
from workers.subscription import Delivery, Subscription


@asynccontextmanager
async def running(projector: Projector, subscription: Subscription) -> AsyncIterator[None]:
    """Let a projector run; if it ended by itself, say why."""
    task = asyncio.create_task(projector.run(subscription))
    try:
        yield
    finally:
        await end(task)
    if not task.cancelled():
        task.result()


async def receive(platform: Platform, projector: Projector, subscription: Subscription) -> list[Delivery]:
    """Apply deliveries until everything is folded, and return them."""
    received = []
    async with aclosing(subscription.deliveries()) as deliveries:
        async for delivery in deliveries:
            await projector.apply(delivery)
            received.append(delivery)
            if await everything_is_folded(platform):
                break
    return received


async def eventually(is_true: Callable[[], Awaitable[bool]], within: float = 30.0) -> None:
    """Return as soon as it is true; fail if it is not true in time."""
    async with asyncio.timeout(within):
        while not await is_true():  # noqa: ASYNC110  other processes set no event of ours
            await asyncio.sleep(0.01)


async def everything_is_folded(platform: Platform) -> bool:
    """Tell whether every event of the log stands behind the cursors of its part."""
    waiting: bool = await platform.pool.fetchval(
        "select exists (select from events join read.cursors using (part) where events.position > cursors.position)"
    )
    return not waiting


async def somebody_waits(platform: Platform) -> bool:
    """Tell whether somebody waits for a lock in Postgres."""
    waits: bool = await platform.pool.fetchval("select exists (select from pg_locks where not granted)")
    return waits
