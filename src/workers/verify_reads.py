"""Verification of reads: whether the read ledger still holds what the log has hashes of, and nothing besides."""

from dataclasses import dataclass

import asyncpg

from adapters.reads import pages
from domain.events import ReadsHashed
from domain.reads import READS, Chain
from eventstore.codec import decode, stream_of
from eventstore.reader import LogReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was looked at, and everything that is not as it was, in a sentence."""

    hashes: int
    reads: int
    """Rows that a hash vouches for."""
    unhashed: int
    """Rows behind them, of which only their ids were looked at."""
    differences: list[str]


async def verify_reads(pool: asyncpg.Pool) -> Verified:
    """Hash every row of the read ledger again, in constant memory, and hold it against the log.

    Each range is judged by the hash that the log has of the range before, so that one broken range spoils no other.
    """
    found: list[str] = []
    hashes = [decode(record) for record in await LogReader(pool).stream(stream_of(ReadsHashed.CATEGORY, READS))]
    after, previous, reads = None, Chain.BEGINNING, 0
    for hashed in hashes:
        assert isinstance(hashed, ReadsHashed)  # noqa: S101  no other event rests there
        chain = Chain(previous)
        async for page in pages(pool, after, hashed.upto):
            chain.take(page)
        if chain.digest().hex() != hashed.hash:
            first = (after or 0) + 1
            found.append(
                f"rows {first} to {hashed.upto}, hashed on {hashed.timestamp:%F %R} UTC: {_what(chain, hashed)}"
            )
        after, previous, reads = hashed.upto, bytes.fromhex(hashed.hash), reads + hashed.count
    unhashed, expected = 0, (after or 0) + 1
    async for page in pages(pool, after):
        for read in page:
            if read.id != expected:
                found.append(f"rows {expected} to {read.id - 1}, not hashed yet: missing")
            unhashed, expected = unhashed + 1, read.id + 1
    return Verified(hashes=len(hashes), reads=reads, unhashed=unhashed, differences=found)


def _what(chain: Chain, hashed: ReadsHashed) -> str:
    if chain.count < hashed.count:
        return f"{hashed.count - chain.count} removed"
    if chain.count > hashed.count:
        return f"{chain.count - hashed.count} inserted"
    return "changed"
