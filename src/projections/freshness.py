"""Freshness: whether a read model has folded everything of one part up to a position that the reader knows of."""

import asyncio
import time
from uuid import UUID

import asyncpg

from eventstore.record import part_of

PATIENCE = 2.0
"""Seconds a query waits for its read model before it answers with what there is."""
WINDOW = 100_000
"""Positions behind the cursor in which missing events are counted; more are as bad."""
_STEPS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.05)


async def wait_until_fresh(
    pool: asyncpg.Pool, projection: str, student_id: UUID, min_position: int, *, patience: float = PATIENCE
) -> int:
    """Wait until no event of the student's part stands between cursor and `min_position`, or for `patience` seconds.

    Return how many events are still to be folded, the student's parked ones included: 0 means fresh.
    """
    part = part_of(student_id, "")
    deadline = time.monotonic() + patience
    steps = iter(_STEPS)
    behind = 0
    while await pool.fetchval(_IS_BEHIND, projection, part, min_position):
        if time.monotonic() >= deadline:
            behind = await pool.fetchval(_BEHIND, projection, part, min_position, WINDOW)
            break
        await asyncio.sleep(next(steps, _STEPS[-1]))
    parked: int = await pool.fetchval(_PARKED, projection, student_id, min_position)
    return behind + parked


_CURSOR = """
select position from read.cursors join read.generations using (projection, generation)
where projection = $1 and state = 'live' and part = $2
"""

_IS_BEHIND = f"""
select exists (select from events where part = $2 and position <= $3 and position > ({_CURSOR}))
"""  # noqa: S608  fixed words

_BEHIND = f"""
select greatest(count(*), ({_IS_BEHIND})::int) from events, ({_CURSOR}) as cursor(position)
where part = $2 and events.position <= least($3, cursor.position + $4) and events.position > cursor.position
"""  # noqa: S608  fixed words

_PARKED = """
select count(*) from read.parked_events join read.generations using (projection, generation)
where projection = $1 and state = 'live' and student_id = $2 and position <= $3 and discarded_at is null
"""
