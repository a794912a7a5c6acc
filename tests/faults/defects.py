"""Defects: what a careless hand might have written, planted in the place of what is there."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

import workers.projector
import workers.switch
from adapters.broker.intake import Arrival, Intake
from adapters.broker.outbox import EncodedBatch
from adapters.cache import Cache
from eventstore.connections import APP
from eventstore.record import Record
from projections.projection import Connection, Projection
from workers import parking
from workers.lease import Lease, Term
from workers.parity import PartDifference
from workers.parking import Poison
from workers.projector import Cursors, Outcome, Projector
from workers.publisher import Publisher
from workers.subscription import Slice

Plant = pytest.MonkeyPatch


def ack_before_commit(plant: Plant) -> None:
    take = Intake.take

    async def take_and_acknowledge(self: Intake, events: int) -> list[Arrival]:
        taken = await take(self, events)
        await self.acknowledge()
        return taken

    plant.setattr(Intake, "take", take_and_acknowledge)


def cursor_outside_the_transaction(plant: Plant) -> None:
    async def apply(self: Projector, slices: Sequence[Slice], *, apart: bool) -> bool:
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                cursors = await self._lock(connection, sorted({part.part for part in slices}))
                told, is_all = await self._complete(connection, slices, cursors)
                outcome = await self._write(connection, told, cursors, apart=apart)
            async with connection.transaction():
                await self._advance(connection, told, cursors, outcome)
        return is_all

    plant.setattr(Projector, "_apply", apply)


def ignored_prev(plant: Plant) -> None:
    plant.setattr(workers.projector, "find_gaps", lambda *_: [])


def checkpoint_before_confirm(plant: Plant) -> None:
    send_page = Publisher.send_page

    async def send_page_and_believe(self: Publisher, batches: Sequence[EncodedBatch]) -> None:
        self._confirmed = batches[-1].position, batches[-1].event_id
        self._news.set()
        await send_page(self, batches)

    plant.setattr(Publisher, "send_page", send_page_and_believe)


def older_over_newer(plant: Plant) -> None:
    async def fill(self: Cache, key: str, _: Lease, value: bytes, **__: object) -> bool:
        await self._redis.set(key, value)
        return True

    plant.setattr(Cache, "fill", fill)


def skipped_poison(plant: Plant) -> None:
    async def write_what_can_be(
        connection: Connection, projection: Projection, generation: int, records: Sequence[Record]
    ) -> list[Poison]:
        await parking.write_apart(connection, projection, generation, records)
        return []

    plant.setattr(workers.projector, "write_apart", write_what_can_be)


def parked_overtaken(plant: Plant) -> None:
    async def nobody(*_: object) -> dict[Any, Any]:
        return {}

    plant.setattr(workers.projector, "read_parked_students", nobody)


def no_deduplication(plant: Plant) -> None:
    write = Projector._write

    async def write_all(self: Projector, connection: Any, told: Any, cursors: Cursors, *, apart: bool) -> Outcome:  # noqa: ANN401
        forgotten = {key: cursor._replace(position=0) for key, cursor in cursors.items()}
        return await write(self, connection, told, forgotten, apart=apart)

    plant.setattr(Projector, "_write", write_all)


def leader_without_fence(plant: Plant) -> None:
    async def advance(self: Lease, term: Term, position: int, event_id: object) -> None:
        del term
        await self._pool.execute("update fanout.relay set position = $1, event_id = $2", position, event_id)

    plant.setattr(Lease, "advance", advance)


def generation_without_parity(plant: Plant) -> None:
    async def no_differences(*_: object) -> list[PartDifference]:
        return []

    plant.setattr(workers.switch, "find_differences", no_differences)


async def sequence_numbered_positions(dsn: str) -> None:
    """Let the database draw positions from a sequence, without the lock."""
    owner = await asyncpg.connect(dsn)
    function: str = await owner.fetchval("select pg_get_functiondef('append'::regproc)")
    locked = "perform pg_advisory_xact_lock(7001);"
    drawn = "base := coalesce(base, 0);"
    assert locked in function
    assert drawn in function
    draw = "base := (select min(nextval('planted')) - 1 from generate_series(1, cardinality(e_id)));"
    await owner.execute("create sequence planted")
    await owner.execute(f"grant usage on sequence planted to {APP}")
    await owner.execute(function.replace(locked, "").replace(drawn, draw))
    await owner.close()
