"""Freshness: whether a read model has folded everything of one part up to a position that the reader knows of."""

import asyncio
import time

import asyncpg

PATIENCE = 2.0
"""Seconds a query waits for its read model before it answers with what there is."""
MOST_COUNTED = 10_000
"""Missing events that are counted at most; more are as bad."""
_STEPS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.05)


async def wait_until_fresh(
    pool: asyncpg.Pool, projection: str, part: int, min_position: int, *, patience: float = PATIENCE
) -> int:
    """Wait until no event of the part stands between the cursor and `min_position`, or for `patience` seconds.

    Return how many such events are still to be folded: 0 means fresh.
    """
    deadline = time.monotonic() + patience
    steps = iter(_STEPS)
    while await pool.fetchval(f"select exists ({_BEHIND})", projection, 1, part, min_position):
        if time.monotonic() >= deadline:
            return await pool.fetchval(  # type: ignore[no-any-return]
                f"select count(*) from ({_BEHIND} limit {MOST_COUNTED}) as behind",  # noqa: S608  fixed words
                projection,
                1,
                part,
                min_position,
            )
        await asyncio.sleep(next(steps, _STEPS[-1]))
    return 0


_BEHIND = """
select from events
where part = $3 and position <= $4 and position > (
    select min(position) from read.cursors where projection = $1 and generation = $2 and part = $3
)
"""
