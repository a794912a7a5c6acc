"""Lease: one relay leads at a time, by a row in Postgres whose clock decides; with it goes the checkpoint."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

SECONDS = 5.0
"""How long a leader may be silent before another takes over."""


class LeaseLost(Exception):
    """Another relay leads now."""


@dataclass(frozen=True, slots=True)
class Term:
    """A lease won: its epoch, higher than every other holder's before, and the checkpoint to go on from."""

    epoch: int
    position: int
    event_id: UUID | None
    """Id of the event at `position`; None at 0."""
    forked: bool
    """The log holds another event at `position`: it was restored to an earlier state and went on differently."""


class Lease:
    """One process's claim to the lead."""

    def __init__(self, pool: asyncpg.Pool, *, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._pool = pool
        self._holder = uuid4()

    async def take(self) -> Term | None:
        """Win the lease if it is free or ran out, or return None while another holds it."""
        row = await self._pool.fetchrow(
            """
            update fanout.relay set
                epoch = epoch + 1, holder = $1, until = clock_timestamp() + make_interval(secs => $2)
            where until < clock_timestamp() or holder = $1
            returning epoch, position, event_id, position > 0 and event_id is distinct from (
                select events.event_id from events where events.position = relay.position
            ) as forked
            """,
            self._holder,
            self.seconds,
        )
        return Term(**row) if row else None

    async def renew(self, term: Term) -> None:
        """Hold the lease for longer, or raise `LeaseLost`."""
        await self._hold(
            "update fanout.relay set until = clock_timestamp() + make_interval(secs => $3) "
            "where holder = $1 and epoch = $2",
            term,
            self.seconds,
        )

    async def advance(self, term: Term, position: int, event_id: UUID) -> None:
        """Move the checkpoint, or raise `LeaseLost`: what a former leader believes to be confirmed counts no more."""
        await self._hold(
            "update fanout.relay set position = $3, event_id = $4 where holder = $1 and epoch = $2",
            term,
            position,
            event_id,
        )

    async def release(self) -> None:
        """Let a standby take over at once."""
        await self._pool.execute(
            "update fanout.relay set holder = null, until = '-infinity' where holder = $1", self._holder
        )

    async def _hold(self, statement: str, term: Term, *values: object) -> None:
        if await self._pool.execute(statement, self._holder, term.epoch, *values) != "UPDATE 1":
            raise LeaseLost
