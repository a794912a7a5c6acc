"""Cache: Redis or Valkey, which may be slow, away, restarted or flushed at any moment without anyone reading a lie.

Beside a cached value live `<key>:position` (the position it was made at), `<key>:lease` (who may fill it) and
`<key>:floor` (the position it must not fall behind). The value itself is the plain bytes, for anyone to read. Every
operation is one Lua call, and so atomic.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from typing import NamedTuple, cast
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotReachable
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as TooSlow
from redis.maint_notifications import MaintNotificationsConfig

from adapters.breaker import Breaker
from projections.cache import CacheAway, Cached, Lease

TIMEOUT = 0.2
"""Seconds that a request waits for Redis at most."""
CONNECTIONS = 32
"""Who finds them all in use waits for one; the library's own pool fails at the hundred and first."""
REST = 1.0
"""Seconds for which a Redis that failed is left alone."""
LEASE = 2000
"""Milliseconds that a fill may take, from before its read of Postgres to its end."""
FLOOR = 60_000
"""Milliseconds for which an invalidation is remembered: longer than any lease."""
LONGEST_SESSION = 3600
"""Seconds after which a session is verified again, however long its token lives."""


Answer = tuple["Session | None", bytes | None]


@dataclass(frozen=True, slots=True)
class Session:
    """Whose a verified access token is, which session it belongs to, and when it ends (Unix seconds)."""

    user_id: UUID
    session_id: UUID
    expires_at: int


class _Question(NamedTuple):
    """What one reader asks: a session, perhaps a value, and where the answer goes."""

    session_key: str
    value_key: str
    answer: asyncio.Future[Answer]

    def settle(self, answer: Answer) -> None:
        """Wake the request, unless it was answered or has given up."""
        if not self.answer.done():
            self.answer.set_result(answer)


class _Script:
    """A Lua script, known to the server by its hash after its first call."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.hash = sha1(text.encode(), usedforsecurity=False).hexdigest()


_READ = _Script("""
local answers = {}
for i = 1, #KEYS, 2 do
  answers[i] = redis.pcall('hmget', KEYS[i], 'user_id', 'session_id', 'expires_at')
  answers[i + 1] = KEYS[i + 1] ~= '' and redis.pcall('get', KEYS[i + 1])
end
return answers
""")

_GET = _Script("return redis.call('get', KEYS[1])")

_OPEN_SESSION = _Script("""
redis.call('hset', KEYS[1], 'user_id', ARGV[1], 'session_id', ARGV[2], 'expires_at', ARGV[3])
redis.call('expire', KEYS[1], ARGV[4])
""")

_LEASE = _Script("""
local value = redis.call('get', KEYS[1])
if value then
  return {value, tonumber(redis.call('get', KEYS[1] .. ':position') or 0)}
end
return redis.call('set', KEYS[1] .. ':lease', ARGV[1], 'nx', 'px', ARGV[2]) and true or false
""")

_FILL = _Script("""
local position = tonumber(ARGV[3])
if redis.call('get', KEYS[1] .. ':lease') ~= ARGV[1]
    or position < tonumber(redis.call('get', KEYS[1] .. ':floor') or 0)
    or position < tonumber(redis.call('get', KEYS[1] .. ':position') or 0) then
  return 0
end
redis.call('set', KEYS[1], ARGV[2], 'pxat', ARGV[4])
redis.call('set', KEYS[1] .. ':position', ARGV[3], 'pxat', ARGV[4])
redis.call('del', KEYS[1] .. ':lease')
return 1
""")

_INVALIDATE = _Script("""
for i, key in ipairs(KEYS) do
  local floor = math.max(tonumber(ARGV[i + 1]), tonumber(redis.call('get', key .. ':floor') or 0))
  redis.call('del', key .. ':lease')
  if floor > tonumber(redis.call('get', key .. ':position') or 0) then
    redis.call('del', key, key .. ':position')
  end
  redis.call('set', key .. ':floor', string.format('%d', floor), 'px', ARGV[1])
end
""")


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

    async def read_session_and_value(self, token_hash: str, value_key: str | None) -> Answer:
        """Return the session of a token and the value of a key, None for what is not there.

        What is asked while an answer is on its way is the next question, all of it in one call: thirty-two readers at
        once cost a thirteenth each of what one alone costs.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Question(f"session:{token_hash}", value_key or "", answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._answer_questions())
        return await answer

    async def open_session(self, token_hash: str, session: Session, now: float) -> None:
        """Remember a verified token until it ends, or for an hour; if Redis is away it is verified again next time."""
        seconds = min(session.expires_at - int(now), LONGEST_SESSION)
        if seconds > 0:
            user, number = str(session.user_id), str(session.session_id)
            with suppress(CacheAway):
                await self._run(_OPEN_SESSION, [f"session:{token_hash}"], user, number, session.expires_at, seconds)

    async def get(self, key: str) -> bytes | None:
        """Return the value of a key, or None where there is none or Redis is away."""
        with suppress(CacheAway):
            return cast("bytes | None", await self._run(_GET, [key]))
        return None

    async def lease(self, key: str) -> Cached | Lease | None:
        """Return the value, or else the right to fill it, or None where somebody else fills it or Redis is away.

        Take the lease before reading what the value is made of: an invalidation after that takes the lease back.
        """
        token = secrets.token_bytes(16)
        try:
            answer = await self._run(_LEASE, [key], token, LEASE)
        except CacheAway:
            return None
        if isinstance(answer, list):
            return Cached(*answer)
        return Lease(token) if answer else None

    async def fill(self, key: str, lease: Lease, value: bytes, *, position: int, expires_at: datetime) -> bool:
        """Store a value and give the lease back; False where the lease is lost or something newer is known."""
        milliseconds = int(expires_at.timestamp() * 1000)
        with suppress(CacheAway):
            return bool(await self._run(_FILL, [key], lease.token, value, position, milliseconds))
        return False

    async def invalidate(self, positions: Mapping[str, int]) -> None:
        """Drop what these keys hold from before the given positions, and refuse to be given it later.

        A value made at its position or after it stays. `CacheAway` means: try again; until it has succeeded somebody
        may read the old values, so whoever makes values stale does not give up.
        """
        if positions:
            await self._run(_INVALIDATE, list(positions), FLOOR, *positions.values())

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
                question.settle((None, None))

    async def _ask(self, questions: Sequence[_Question]) -> list[Answer]:
        keys = [key for question in questions for key in (question.session_key, question.value_key)]
        try:
            found = cast("list[object]", await self._run(_READ, keys))
        except CacheAway:
            return [(None, None)] * len(questions)
        return [(_session(fields), _value(value)) for fields, value in zip(found[::2], found[1::2], strict=True)]

    async def _run(self, script: _Script, keys: Sequence[str], *arguments: str | bytes | int) -> object:
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
        case [bytes(user_id), bytes(session_id), bytes(expires_at)]:
            with suppress(ValueError):
                return Session(UUID(user_id.decode()), UUID(session_id.decode()), int(expires_at))
    return None


def _value(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None
