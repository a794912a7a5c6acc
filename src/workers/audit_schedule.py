"""Audit schedule: a small audit now and then in every projector, which raises a metric when something is wrong."""

import asyncio
from collections.abc import Sequence

import asyncpg
import prometheus_client as prometheus
import structlog

from eventstore.connections import LOST
from projections.projection import Projection
from workers.audit import Gettable, audit

SAMPLE = 20

_DIFFERENCES = prometheus.Gauge("afterschool_audit_differences", "Differences that the last audit found.")
_LAST_RUN = prometheus.Gauge(
    "afterschool_audit_last_run_seconds", "When the last audit ended, or the schedule began, in Unix seconds."
)

logger = structlog.get_logger()


async def audit_for_ever(
    pool: asyncpg.Pool, cache: Gettable, projections: Sequence[Projection], *, every: float
) -> None:
    """Audit every so many seconds, other students each time; what keeps it from that is tried again next time.

    0 means never.
    """
    run = 0
    _LAST_RUN.set_to_current_time()  # nothing is overdue yet
    while every:
        await asyncio.sleep(every)
        run += 1
        try:
            found = await audit(pool, cache, projections, sample=SAMPLE, seed=run)
        except (*LOST, asyncpg.PostgresError) as error:
            logger.warning("audit_not_possible", error=type(error).__name__)
            continue
        _DIFFERENCES.set(len(found.differences))
        _LAST_RUN.set_to_current_time()
        if found.differences:
            logger.error(
                "audit_found_differences", differences=len(found.differences), see="afterschool projections audit"
            )
