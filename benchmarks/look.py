"""Look: what a request asks of Redis (charge, session, value) in one call, against a plain GET of the same value.

Both by the same client of ours on the same connections. Alone, a look waits for one round trip as a GET does; callers
at once share their looks, while each GET is a call of its own.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pstats import Stats
from uuid import uuid4

from adapters.cache import Cache
from adapters.gcra import Charge, Policy
from adapters.sessions import Session
from benchmarks.figure import Figure, in_turns, on_uvloop, profiled, rate
from benchmarks.machine import Machine

AT_ONCE = 32
BYTES = 4096
"""Of the value: a summary of some twenty topics."""
UNLIMITED = Policy(name="ip", quota=60_000_000, seconds=60, burst=60_000_000)

Call = Callable[[], Awaitable[object]]


async def measure(machine: Machine, seconds: float) -> list[Figure]:
    """Count looks a second, by one caller and by many at once."""
    return await on_uvloop(_measure(machine.redis_url, seconds))


async def profile(machine: Machine, seconds: float) -> Stats:
    """Profile many callers' looks."""
    return await on_uvloop(_profile(machine.redis_url, seconds))


async def _measure(redis_url: str, seconds: float) -> list[Figure]:
    figures = []
    async with _filled(redis_url) as (look, get):
        for name, callers in (("look_1_vs_get", 1), ("look_32_vs_get", AT_ONCE)):
            looking, getting = partial(rate, [look] * callers), partial(rate, [get] * callers)
            value, against = await in_turns(looking, getting, seconds=seconds)
            peer = f"plain GET, {callers} at once"
            figures.append(Figure(name=name, value=value, unit="looks/s", peer=peer, against=against))
    return figures


async def _profile(redis_url: str, seconds: float) -> Stats:
    async with _filled(redis_url) as (look, _):
        return await profiled(rate([look] * AT_ONCE, seconds))


@asynccontextmanager
async def _filled(redis_url: str) -> AsyncIterator[tuple[Call, Call]]:
    """Remember a session and a value, and return a look that finds both and a GET of the value."""
    cache, now = Cache(redis_url), time.time()
    token_hash, key = sha256(b"token").hexdigest(), "user:bench:progress"
    await cache.open_session(token_hash, Session(uuid4(), uuid4(), int(now) + 3600, now), now)
    send = cache._send  # noqa: SLF001  our own client, asked plainly
    await send("SET", key, b"x" * BYTES)
    look = partial(cache.look, token_hash, key, Charge("rate_limit:bench", UNLIMITED))
    get = partial(send, "GET", key)
    found = await look()
    assert found.session
    assert found.value == await get()
    assert found.allowance
    yield look, get
    await cache.close()
