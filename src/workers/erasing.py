"""Erasing: finishes what lies outside the log for everyone whom it has forgotten; again and again until it is done."""

import asyncio

import asyncpg
import prometheus_client as prometheus
import structlog

from commands.finish_erasure import ErasurePorts, finish_erasure
from domain.errors import Unavailable
from eventstore.connections import LOST
from projections.cache import CacheAway

PACE = 1.0
"""Seconds between two looks."""
AT_ONCE = 100
AWAY = (*LOST, asyncpg.PostgresError, Unavailable, CacheAway)
"""What a machine says that is away, a full disk among them."""

_DONE = prometheus.Counter("afterschool_erasures_done", "People who were erased everywhere.")
_WAITING = prometheus.Gauge(
    "afterschool_erasures_waiting", "People erased in the log for whom something is left to do."
)

logger = structlog.get_logger()


async def finish_erasures(ports: ErasurePorts, after: int = 0) -> int:
    """Finish what there is behind a position and return up to which position all is done.

    Whoever cannot be erased now holds nobody up. Raises what Postgres raises when it cannot be asked.
    """
    done_up_to, waiting = after, 0
    while erasures := await ports.erasures.unfinished(after, AT_ONCE):
        for erasure in erasures:
            after = erasure.position
            try:
                await finish_erasure(ports, erasure)
            except AWAY as error:
                waiting += 1
                logger.warning("erasure_waits", position=erasure.position, error=type(error).__name__)
            else:
                _DONE.inc()
                done_up_to = done_up_to if waiting else after
    _WAITING.set(waiting)
    return done_up_to


async def keep_erasing(ports: ErasurePorts, pace: float = PACE) -> None:
    """Finish erasures for ever."""
    done_up_to = 0
    while True:
        try:
            done_up_to = await finish_erasures(ports, done_up_to)
        except AWAY as error:
            logger.warning("erasures_unknown", error=type(error).__name__)
        await asyncio.sleep(pace)
