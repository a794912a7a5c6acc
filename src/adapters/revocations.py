"""Revocations: what one process knows of revoked sessions, so that what Redis still says of them counts for nothing.

Only the last quarter of an hour matters: whatever Redis holds is younger, and whoever it does not hold is asked of
Postgres. A process whose knowledge is older than five seconds trusts nobody and asks Postgres as well.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from uuid import UUID

import asyncpg
import structlog

from adapters.sessions import Session
from eventstore.connections import LOST

PACE = 2.0
"""Seconds between two looks."""
FRESH = 5.0
"""Seconds for which a look is good; a revoked session is refused at most this much later."""
KEPT = 900.0
"""Seconds for which a revocation is remembered: longer than Redis remembers any session."""
UNCOMMITTED = 30.0
"""Seconds that a transaction may take from its revocation to its commit: three times what Postgres allows it."""
MOST = 100_000
"""Revocations that are remembered; beyond, the oldest go, and sessions checked before them are checked again."""

logger = structlog.get_logger()


class Revocations:
    """The revoked sessions of the last while; moments are Unix seconds of the database's clock."""

    def __init__(self, pool: asyncpg.Pool, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._most = most
        self._clock = clock
        self._revoked: dict[UUID, float] = {}
        self._all_since = 0.0
        """Of the last while, every revocation after this moment is known."""
        self._looked_at = float("-inf")

    def allow(self, session: Session) -> bool:
        """Tell whether a session that Redis remembers still stands; False as well where that is not known."""
        return (
            session.session_id not in self._revoked
            and self._clock() < self._looked_at + FRESH
            and session.checked_at > self._all_since
        )

    def add(self, revoked: Mapping[UUID, float]) -> None:
        """Remember sessions that were revoked, here or elsewhere."""
        self._revoked.update(revoked)
        excess = len(self._revoked) - self._most
        if excess > 0:
            oldest = sorted(self._revoked.items(), key=lambda one: one[1])[:excess]
            for session_id, _ in oldest:
                del self._revoked[session_id]
            self._all_since = max(self._all_since, oldest[-1][1] + UNCOMMITTED)

    async def look(self) -> None:
        """Learn of what was revoked since the last look; raises what `asyncpg` says when Postgres is away."""
        began = self._clock()
        async with asyncio.timeout(PACE):
            rows = await self._pool.fetch(
                """
                select id, extract(epoch from revoked_at)::float8 as at
                from sessions where revoked_at > statement_timestamp() - make_interval(secs => $1)
                order by revoked_at desc limit $2
                """,
                min(began - self._looked_at + UNCOMMITTED, KEPT),
                self._most + 1,
            )
        self.add({row["id"]: row["at"] for row in rows})
        self._forget(time.time() - KEPT)
        self._looked_at = began

    async def keep_looking(self) -> None:
        """Look for ever; while Postgres is away nobody is trusted who cannot be asked about."""
        is_away = False
        while True:
            try:
                await self.look()
                is_away = False
            except (*LOST, asyncpg.PostgresError) as error:
                if not is_away:
                    logger.warning("revocations_unknown", error=type(error).__name__)
                is_away = True
            await asyncio.sleep(PACE)

    def _forget(self, before: float) -> None:
        for session_id in [known for known, at in self._revoked.items() if at < before]:
            del self._revoked[session_id]
