"""Rebuild: a new generation of a read model beside the live one, from the log's beginning until projectors feed both.

Stopped anywhere, even killed, it goes on where it was when it is called again: everything it knows is in the database.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import asyncpg

from projections.projection import Projection
from workers import side_by_side
from workers.filling import FLUSH, Filling
from workers.generations import (
    GenerationsRefused,
    changing,
    connect,
    drop,
    live_of,
    make,
    read_cursors,
    read_generations,
)

ATTEMPTS = 10
"""Times that the last step is tried while projectors hold their cursors or run ahead."""


class Rebuilt(NamedTuple):
    """How far a rebuild has come."""

    generation: int
    dropped: list[int]
    """Generations that were in its way: made earlier, and not live."""
    resumed: bool
    """An earlier call began it."""
    reached: int
    goal: int
    """The position where the live generation stood when it was last looked at."""
    attached: bool = False
    """Done: projectors feed both generations."""


async def rebuild(
    dsn: str, projection: Projection, *, flush: int = FLUSH, processes: int = 1
) -> AsyncGenerator[Rebuilt]:
    """Fill the next generation of a read model, whether projectors run or not, and yield how far it has come.

    At most `flush` events are held in memory; where the log is long, by each of so many processes. Raises
    `GenerationsRefused`, and `LogBroken` where the log has a hole.
    """
    async with changing(dsn, projection.name) as writing:
        begun = await _begin(writing, projection)
        live = live_of(await read_generations(writing, projection.name))
        reading = await connect(dsn)
        try:
            filling = Filling(reading, writing, projection, begun.generation, flush=flush)
            for attempt in range(ATTEMPTS):
                cursors = await read_cursors(writing, projection.name, [live])
                goal = {part: cursor.position for part, cursor in cursors[live].items()}
                begun = begun._replace(goal=max(goal.values()))
                yield begun
                if processes > 1 and begun.goal - begun.reached >= side_by_side.WORTH:
                    work = side_by_side.fill_side_by_side(dsn, projection, begun.generation, goal, processes=processes)
                    async with aclosing(work) as written:
                        async for reached in written:
                            begun = begun._replace(reached=max(begun.reached, reached))
                            yield begun
                async with aclosing(filling.fill(goal)) as written:
                    async for reached in written:
                        begun = begun._replace(reached=reached)
                        yield begun
                if attempt == 0:
                    for table in projection.tables:
                        await writing.execute(f"analyze read.{table}_g{begun.generation}")
                if await _attach(filling, live):
                    yield begun._replace(attached=True)
                    return
        finally:
            await reading.close(timeout=2)
    raise GenerationsRefused(f"Projectors of {projection.name} are too busy right now; call this again, it goes on.")


async def _attach(filling: Filling, live: int) -> bool:
    try:
        return await filling.attach(live)
    except asyncpg.LockNotAvailableError:
        await asyncio.sleep(0.2)
        return False


async def _begin(connection: asyncpg.Connection, projection: Projection) -> Rebuilt:
    """Go on with the generation that an earlier call began, or make the next one and drop what is in its way."""
    generations = await read_generations(connection, projection.name)
    begun = [number for number, state in generations.items() if state == "filling"]
    others = [number for number, state in generations.items() if state == "fed"]
    for number in others:
        await drop(connection, projection, number)
    generation = begun[0] if begun else await make(connection, projection)
    cursors = await read_cursors(connection, projection.name, [generation])
    reached = min(cursor.position for cursor in cursors[generation].values())
    return Rebuilt(generation, others, resumed=bool(begun), reached=reached, goal=0)
