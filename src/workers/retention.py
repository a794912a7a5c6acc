"""Retention: finds what the schedule says must go, and lets it go."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import structlog

from commands.erase_user import EraseUser, erase_user
from commands.ports import Log
from domain.cause import HOUSEKEEPER, Cause
from domain.errors import NotAllowed
from domain.events import ErasureReason
from domain.retention import INACTIVE, SCHEDULE, SESSIONS, SESSIONS_OF_ERASED, UNLINKED, Rule
from workers.erasing import AWAY

DAY = 86_400.0
"""Seconds between two rounds."""
PAUSE = 600.0
"""Seconds after which a round that could not be ended is begun again."""
AT_ONCE = 10_000
"""People that one statement asks about, and rows that one deletes."""

logger = structlog.get_logger()


class Due(NamedTuple):
    """What a rule says must go now: people, or so many rows."""

    rule: Rule
    people: list[UUID]
    rows: int


async def find_due(pool: asyncpg.Pool, now: datetime) -> list[Due]:
    """Return for each rule of the schedule what must go; nothing is changed. The pool acts as the housekeeper."""
    return [await _FIND[rule](pool, rule, now) for rule in SCHEDULE]


async def let_go(pool: asyncpg.Pool, log: Log, due: Due, now: datetime) -> int:
    """Erase the people or delete the rows, and return how many; whoever has got a guardian meanwhile stays."""
    if due.rule.action == "erase the person":
        return sum([await _erase(log, person_id, _REASONS[due.rule], now) for person_id in due.people])
    return sum([await _delete(pool, *rows, now - due.rule.age) for rows in _ROWS[due.rule]])


async def keep_to_schedule(pool: asyncpg.Pool, log: Log) -> None:
    """Let go what must, every day, for ever."""
    while True:
        try:
            now = datetime.now(UTC)
            for due in await find_due(pool, now):
                if gone := await let_go(pool, log, due, now):
                    logger.info("retention", data=due.rule.data, action=due.rule.action, count=gone)
        except AWAY as error:
            logger.warning("retention_waits", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
        else:
            await asyncio.sleep(DAY)


async def _erase(log: Log, person_id: UUID, reason: ErasureReason, now: datetime) -> int:
    command_id = uuid4()
    cause = Cause(
        command_id=command_id,
        operation="EraseUser",
        actor=HOUSEKEEPER,
        occurred_at=now,
        body=person_id.bytes,
        correlation_id=command_id,
        causation_id=command_id,
    )
    with suppress(NotAllowed):
        await erase_user(log, EraseUser(cause=cause, user_id=person_id, reason=reason))
        return 1
    return 0


async def _find_unlinked(pool: asyncpg.Pool, rule: Rule, now: datetime) -> Due:
    return Due(rule, [row["person_id"] for row in await _look_through(pool, _UNLINKED, now - rule.age)], 0)


async def _find_inactive(pool: asyncpg.Pool, rule: Rule, now: datetime) -> Due:
    rows = await _look_through(pool, _INACTIVE, now - rule.age)
    families: Mapping[UUID, list[UUID]] = {row["person_id"]: row["family"] for row in rows}
    return Due(rule, [person_id for person_id, family in families.items() if families.keys() >= set(family)], 0)


async def _look_through(pool: asyncpg.Pool, query: str, moment: datetime) -> list[asyncpg.Record]:
    """Return who is due, asking about some people at a time: about all at once Postgres would be asked for too long."""
    due, after = [], 0
    while page := await pool.fetch(query, moment, after, AT_ONCE):
        due += [row for row in page if row["is_due"]]
        after = page[-1]["position"]
    return due


async def _count_rows(pool: asyncpg.Pool, rule: Rule, now: datetime) -> Due:
    counts = [
        await pool.fetchval(f"select count(*) from {table} as t where {condition}", now - rule.age)  # noqa: S608  fixed words
        for table, condition in _ROWS[rule]
    ]
    return Due(rule, [], sum(counts))


async def _delete(pool: asyncpg.Pool, table: str, condition: str, moment: datetime) -> int:
    """Delete rows, some at a time, and return how many there were."""
    delete = f"delete from {table} where ctid = any(array(select ctid from {table} as t where {condition} limit $2))"  # noqa: S608  fixed words
    count = 0
    while gone := int((await pool.execute(delete, moment, AT_ONCE)).rpartition(" ")[2]):
        count += gone
    return count


_FIND: Mapping[Rule, Callable[[asyncpg.Pool, Rule, datetime], Awaitable[Due]]] = {
    UNLINKED: _find_unlinked,
    INACTIVE: _find_inactive,
    SESSIONS: _count_rows,
    SESSIONS_OF_ERASED: _count_rows,
}
_REASONS: Mapping[Rule, ErasureReason] = {UNLINKED: "unlinked", INACTIVE: "inactive"}
_PEOPLE = """
with people as (
    select position, recorded_at, subject as person_id, stream, data ->> 'role' as role from events
    where type = 'UserRegistered' and position > $2 order by position limit $3
)
select position, person_id, recorded_at <= $1
    and not exists (select from events as e where e.stream = people.stream and e.type = 'UserErased')
"""
"""The next who registered; each query goes on with what else makes them due."""
_UNLINKED = f"""
{_PEOPLE}
    and role = 'student' and (
        select count(*) filter (where e.type = 'GuardianAdded') = count(*) filter (where e.type = 'GuardianRemoved')
            and coalesce(max(e.recorded_at) <= $1, true)
        from events as e where e.stream = people.stream and e.type in ('GuardianAdded', 'GuardianRemoved')
    ) as is_due
from people order by position
"""  # noqa: S608  fixed words
_INACTIVE = f"""
{_PEOPLE}
    and (select e.recorded_at from events as e where e.subject = person_id order by e.position desc limit 1) <= $1
    and not exists (select from sessions as s where s.user_id = person_id and s.seen_at > $1) as is_due,
    array(
        select coalesce(e.data ->> 'guardian_id', e.data ->> 'child_id')::uuid as relative from events as e
        where e.stream = people.stream
            and e.type in ('GuardianAdded', 'GuardianRemoved', 'ChildLinked', 'ChildUnlinked')
        group by relative having count(*) % 2 = 1  -- every end has a beginning
    ) as family
from people order by position
"""  # noqa: S608  fixed words
_OF_ERASED = "user_id in (select person_id from erasures where done_at < $1)"
_ROWS = {
    SESSIONS: (
        (
            "sessions",
            """
            revoked_at is null and expires_at < $1
                and exists (select from sessions as later where later.user_id = t.user_id and later.seen_at > t.seen_at)
            """,
        ),
    ),
    SESSIONS_OF_ERASED: (("sessions", _OF_ERASED), ("sign_outs", _OF_ERASED)),
}
"""In which tables rows must go, and which."""
