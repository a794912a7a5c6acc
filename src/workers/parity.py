"""Parity: whether two generations of a read model stand at one position and hold the same rows there."""

from typing import NamedTuple
from uuid import UUID

from projections.projection import Connection, Projection
from workers.generations import read_cursors

NAMED = 20
"""Students of a part who are named at most."""


def _part(projection: Projection) -> str:
    """Return the part of the log that the events about someone or something are in, as `part_of` says it."""
    name = f"convert_to('{projection.category}-' || own_id, 'UTF8')" if projection.category else "uuid_send(own_id)"
    return f"get_byte(sha256({name}), 0) & 63"


class PartDifference(NamedTuple):
    """How many students of a part, or questions, have rows that differ, and the ids of some of them."""

    part: int
    differing: int
    some: list[UUID]


async def find_uneven_parts(connection: Connection, projection: Projection, one: int, other: int) -> list[int]:
    """Return the parts that one generation has folded further than the other."""
    cursors = await read_cursors(connection, projection.name, [one, other])
    return sorted(part for part in cursors[one] if cursors[one][part].position != cursors[other][part].position)


async def find_differences(
    connection: Connection, projection: Projection, one: int, other: int
) -> list[PartDifference]:
    """Compare all columns of all rows, part by part, and say in which parts whose rows differ.

    The connection is in a transaction that sees one moment (repeatable read). Rows are compared by sums of 64-bit
    hashes of them: that is for accidents, not against forgers.
    """
    own = _part(projection)
    queries = [_by_part(own, table, one, other) for table in projection.tables]
    parts = [row["part"] for query in queries for row in await connection.fetch(query)]
    if not parts:
        return []
    differing = " union ".join(_by_id(own, table, one, other) for table in projection.tables)
    rows = await connection.fetch(
        f"""
        select {own} as part, count(*) as differing, (array_agg(own_id order by own_id))[:$2] as some
        from ({differing}) as differing group by part order by part
        """,  # noqa: S608  names of ours
        sorted(set(parts)),
        NAMED,
    )
    return [PartDifference(*row) for row in rows]


def _by_part(own: str, table: str, one: int, other: int) -> str:
    return _differing("part", _digests(f"{own} as part", table, one), _digests(f"{own} as part", table, other))


def _by_id(own: str, table: str, one: int, other: int) -> str:
    some = f"where {own} = any($1)"
    return _differing("own_id", _digests("own_id", table, one, some), _digests("own_id", table, other, some))


def _digests(key: str, table: str, generation: int, some: str = "") -> str:
    return f"""
        select {key}, count(*) as n, sum(hash_record_extended(t, 0)::numeric) as digest
        from read.{table}_g{generation} as t(own_id) {some} group by 1
    """  # noqa: S608  names of ours


def _differing(key: str, one: str, other: str) -> str:
    return f"""
        select {key} from ({one}) as a full join ({other}) as b using ({key})
        where (a.n, a.digest) is distinct from (b.n, b.digest)
    """  # noqa: S608  names of ours
