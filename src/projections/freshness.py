"""Freshness: whether a read model has folded everything of one part up to a position that the reader knows of."""

import asyncio
import time

import asyncpg

PATIENCE = 2.0
"""Seconds a query waits for its read model before it answers with what there is."""
_STEPS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.05)


async def wait_until_fresh(
    pool: asyncpg.Pool, projection: str, part: int, min_position: int, *, patience: float = PATIENCE
) -> int:
    """Wait until no event of the part stands between the cursor and `min_position`, or for `patience` seconds.

    Return how many such events are still to be folded: 0 means fresh.
    """
    deadline = time.monotonic() + patience
    steps = iter(_STEPS)
    while behind := await _behind(pool, projection, part, min_position):
        if time.monotonic() >= deadline:
            return behind
        await asyncio.sleep(next(steps, _STEPS[-1]))
    return 0


async def _behind(pool: asyncpg.Pool, projection: str, part: int, min_position: int) -> int:
    behind: int = await pool.fetchval(
        """
        select count(*) from events
        where part = $3 and position <= $4 and position > (
            select min(position) from read.cursors where projection = $1 and generation = $2 and part = $3
        )
        """,
        projection,
        1,
        part,
        min_position,
    )
    return behind
