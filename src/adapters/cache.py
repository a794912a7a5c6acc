"""Cache: Redis or Valkey, which may be slow, away, restarted or flushed at any moment without anyone reading a lie.

Beside a cached value live `<key>:position` (the position it was made at), `<key>:lease` (who may fill it) and
`<key>:floor` (the position it must not fall behind). The value itself is the plain bytes, for anyone to read. Every
operation is one Lua call, and so atomic.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotReachable
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as TooSlow
from redis.maint_notifications import MaintNotificationsConfig

from adapters import redis_scripts as scripts
from adapters.breaker import Breaker
from adapters.gcra import Allowance, Charge
from adapters.sessions import Session
from projections.cache import CacheAway, Cached, Lease
from projections.students import STUDENTS

TIMEOUT = 0.15
"""Seconds that a request waits for Redis at most."""
CONNECTIONS = 32
"""Who finds them all in use waits for one; the library's own pool fails at the hundred and first."""
REST = 1.0
"""Seconds for which a Redis that failed is left alone."""
LEASE = 2000
"""Milliseconds that a fill may take, from before its read of Postgres to its end."""
FLOOR = 60_000
"""Milliseconds for which an invalidation is remembered: longer than any lease."""
LONGEST_SESSION = 300
"""Seconds after which a token is verified again: with those that a key set is kept, ten minutes for a removed key."""


class Glimpse(NamedTuple):
    """What Redis says to a request; None is what is not there, and everything while it is away."""

    session: Session | None = None
    value: bytes | None = None
    allowance: Allowance | None = None


_NOTHING = Glimpse()


class _Question(NamedTuple):
    """What one request asks: perhaps a session, a value, a charge, and where the answer goes."""

    session_key: str
    value_key: str
    charge: Charge | None
    answer: asyncio.Future[Glimpse]

    def settle(self, answer: Glimpse) -> None:
        """Wake the request, unless it was answered or has given up."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Cache:
    """Sessions and values in Redis. Reads and fills never fail, they only find nothing; `invalidate` says if it did."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT, rest: float = REST) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=3,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._redis = Redis.from_pool(pool)
        self._send = cast("Callable[..., Awaitable[object]]", self._redis.execute_command)
        self._breaker = Breaker(rest)
        self._waiting: list[_Question] = []
        self._reading: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Finish what is being read and let go of the connections."""
        if self._reading:
            await self._reading
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raise `CacheAway` unless Redis answers now; this asks even a Redis that failed a moment ago."""
        try:
            await self._send("PING")
        except (RedisError, OSError) as error:
            raise CacheAway from error

    async def look(
        self, token_hash: str | None = None, value_key: str | None = None, charge: Charge | None = None
    ) -> Glimpse:
        """Charge a request and return the session of its token and the value of a key, if it is let through.

        What is asked while an answer is on its way is the next question, all of it in one call: thirty-two readers at
        once cost a thirteenth each of what one alone costs.
        """
        answer: asyncio.Future[Glimpse] = asyncio.get_running_loop().create_future()
        session_key = f"session:{token_hash}" if token_hash else ""
        self._waiting.append(_Question(session_key, value_key or "", charge, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._answer_questions())
        return await answer

    async def open_session(self, token_hash: str, session: Session, now: float) -> None:
        """Remember a verified token until it ends, or for five minutes; without Redis it is verified again next time.

        The seconds count from `checked_at`, so that a slow writer does not prolong them.
        """
        seconds = min(session.expires_at - now, LONGEST_SESSION - max(0.0, now - session.checked_at))
        if seconds >= 1:
            fields = (str(session.user_id), str(session.session_id), session.expires_at, int(session.checked_at))
            with suppress(CacheAway):
                await self._run(scripts.OPEN_SESSION, [f"session:{token_hash}"], *fields, int(seconds))

    async def forget_session(self, token_hash: str) -> None:
        """Forget a token, which ends its session at once in every process; without Redis they find out by asking."""
        with suppress(CacheAway):
            await self._run(scripts.FORGET, [f"session:{token_hash}"])

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None where there is none or Redis is away."""
        with suppress(CacheAway):
            return cast("bytes | None", await self._run(scripts.GET, [key]))
        return None

    async def lease(self, key: str) -> Cached | Lease | None:
        """Return the value, or else the right to fill it, or None where somebody else fills it or Redis is away.

        Take the lease before reading what the value is made of: an invalidation after that takes the lease back.
        """
        token = secrets.token_bytes(16)
        try:
            answer = await self._run(scripts.LEASE, [key], token, LEASE)
        except CacheAway:
            return None
        if isinstance(answer, list):
            return Cached(*answer)
        return Lease(token) if answer else None

    async def fill(self, key: str, lease: Lease, value: bytes, *, position: int, expires_at: datetime) -> bool:
        """Store a value and give the lease back; False where the lease is lost or something newer is known."""
        milliseconds = int(expires_at.timestamp() * 1000)
        with suppress(CacheAway):
            return bool(await self._run(scripts.FILL, [key], lease.token, value, position, milliseconds))
        return False

    async def invalidate(self, positions: Mapping[str, int]) -> None:
        """Drop what these keys hold from before the given positions, and refuse to be given it later.

        A value made at its position or after it stays. `CacheAway` means: try again; until it has succeeded somebody
        may read the old values, so whoever makes values stale does not give up.
        """
        if positions:
            await self._run(scripts.INVALIDATE, list(positions), FLOOR, *positions.values())

    async def forget_person(self, person_id: UUID, position: int) -> None:
        """Drop everything that Redis holds about a person from before a position; raises `CacheAway`."""
        keys = [key for projection in STUDENTS if (key := projection.cache_key(person_id))]
        await self.invalidate(dict.fromkeys(keys, position))

    async def drop_values(self) -> None:
        """Drop every cached value and every lease taken before this call; `CacheAway` means: try again."""
        try:
            # Leases first: under one that is left, a value could be filled in where the scan has been already.
            for pattern in ("user:*:lease", "content:*:lease", "user:*", "content:*"):
                cursor = None
                while cursor != 0:
                    cursor, keys = await self._redis.scan(cursor or 0, match=pattern, count=1000)
                    if stale := [key for key in cast("list[bytes]", keys) if not key.endswith(b":floor")]:
                        await self._redis.unlink(*stale)
        except (RedisError, OSError) as error:
            raise CacheAway from error

    async def _answer_questions(self) -> None:
        # A task of its own, which no cancelled request can cancel: nobody ever gets another one's answer.
        questions: list[_Question] = []
        try:
            while self._waiting:
                questions, self._waiting = self._waiting, []
                for question, answer in zip(questions, await self._ask(questions), strict=True):
                    question.settle(answer)
        finally:
            self._reading = None
            for question in [*questions, *self._waiting]:
                question.settle(_NOTHING)

    async def _ask(self, questions: Sequence[_Question]) -> list[Glimpse]:
        keys: list[str] = []
        limits: list[int] = []
        for session_key, value_key, charge, _ in questions:
            keys += (session_key, value_key, charge.key if charge else "")
            limits += (charge.policy.interval, charge.policy.burst) if charge else (0, 0)
        try:
            found = cast("list[object]", await self._run(scripts.LOOK, keys, *limits))
        except CacheAway:
            return [_NOTHING] * len(questions)
        answers = zip(questions, found[::3], found[1::3], found[2::3], strict=True)
        return [
            Glimpse(_session(fields), _value(value), _allowance(question.charge, limit))
            for question, fields, value, limit in answers
        ]

    async def _run(self, script: scripts.Script, keys: Sequence[str], *arguments: str | bytes | int) -> object:
        if self._breaker.is_open:
            raise CacheAway
        try:
            try:
                return await self._send("EVALSHA", script.hash, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._send("EVAL", script.text, len(keys), *keys, *arguments)
        except (NotReachable, TooSlow, OSError) as error:
            self._breaker.trip()
            raise CacheAway from error
        except RedisError as error:
            raise CacheAway from error


def _session(fields: object) -> Session | None:
    """Read a session's hash; one that is not as we write it is as good as none."""
    match fields:
        case [bytes(user_id), bytes(session_id), bytes(expires_at), bytes(checked_at)]:
            with suppress(ValueError):
                user, number = UUID(user_id.decode()), UUID(session_id.decode())
                return Session(user, number, int(expires_at), int(checked_at))
    return None


def _value(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _allowance(charge: Charge | None, limit: object) -> Allowance | None:
    match limit:
        case [int(wait), int(backlog)] if charge:
            return Allowance(charge.policy, wait, backlog)
    return None
