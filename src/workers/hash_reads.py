"""Hashing of reads: what the read ledger has gained is hashed, and the hash entered into the log."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid5

import asyncpg
import structlog

from adapters.reads import pages
from commands.ports import History, Log
from domain.cause import HOUSEKEEPER, Cause
from domain.errors import TooContended, Unavailable
from domain.events import ReadsHashed
from domain.reads import READS, Chain
from eventstore.codec import decode, stream_of
from eventstore.connections import LOST
from eventstore.record import COLUMNS, Record

OPERATION = "HashReads"
HOUR = 3600.0
"""Seconds between two hashes."""
PAUSE = 60.0
"""Seconds after which a machine that was away is asked again."""

logger = structlog.get_logger()


async def hash_reads(log: Log, pool: asyncpg.Pool) -> int:
    """Append `ReadsHashed` for all rows behind those hashed before; return how many, 0 where there are none.

    The pool acts as `afterschool_app`. Of several processes that do it at once one succeeds and the others append
    nothing, for the command's id follows from the rows and the event's version from the hash before.
    """
    last = await last_hash(pool)
    after, version, previous = (last.upto, last.originator_version, last.hash) if last else (0, 0, "")
    chain = Chain(bytes.fromhex(previous) or Chain.BEGINNING)
    async for page in pages(pool, after):
        chain.take(page)
    if not chain.count:
        return 0
    hashed = ReadsHashed(
        originator_id=READS,
        originator_version=version + 1,
        timestamp=datetime.now(UTC),
        upto=chain.upto,
        count=chain.count,
        hash=chain.digest().hex(),
    )

    async def decide(history: History) -> None:
        history.record(hashed)

    try:
        receipt = await log.execute(_cause(hashed, after), decide)
    except TooContended:  # somebody else has hashed these rows meanwhile, perhaps with some that came later
        return 0
    return 0 if receipt.repeated else hashed.count


async def keep_hashing(log: Log, pool: asyncpg.Pool) -> None:
    """Hash what there is every hour, for ever."""
    while True:
        try:
            await hash_reads(log, pool)
        except (*LOST, asyncpg.PostgresError, Unavailable) as error:
            logger.warning("reads_not_hashed", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
        else:
            await asyncio.sleep(HOUR)


async def last_hash(pool: asyncpg.Pool) -> ReadsHashed | None:
    """Return the last hash that the log holds, None before the first."""
    query = f"select {COLUMNS} from events where stream = $1 order by version desc limit 1"  # noqa: S608  fixed words
    row = await pool.fetchrow(query, stream_of(ReadsHashed.CATEGORY, READS))
    event = decode(Record(*row)) if row else None
    assert event is None or isinstance(event, ReadsHashed)  # noqa: S101  no other event rests there
    return event


def _cause(hashed: ReadsHashed, after: int) -> Cause:
    command_id = uuid5(READS, f"{after + 1}-{hashed.upto}")
    return Cause(
        command_id=command_id,
        operation=OPERATION,
        actor=HOUSEKEEPER,
        occurred_at=hashed.timestamp,
        body=hashed.hash.encode(),
        correlation_id=command_id,
        causation_id=command_id,
    )
