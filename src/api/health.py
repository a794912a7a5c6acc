"""Health: whether the process lives, and whether the machines it needs are there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

PATIENCE = 1.0
"""Seconds that a machine has to answer."""
REMEMBERED = 1.0
"""Seconds for which a finding holds, so that asking for it loads nothing."""

Check = Callable[[], Awaitable[None]]
"""Asks a machine for a sign of life; raising or taking too long means that it is away."""

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Finding:
    """Which machines are away: `away` lists those that every request needs, `degraded` the others."""

    away: tuple[str, ...]
    degraded: tuple[str, ...]


class Readiness:
    """Looks after the machines, all at once and at most once a second however often it is asked."""

    def __init__(self, needed: Mapping[str, Check], optional: Mapping[str, Check]) -> None:
        self._needed = needed
        self._optional = optional
        self._looking: asyncio.Task[Finding] | None = None
        self._looked_at = float("-inf")

    async def look(self) -> Finding:
        """Return which machines are away."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked_at > REMEMBERED):
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Finding:
        checks = {**self._needed, **self._optional}
        answers = await asyncio.gather(*(_answers(name, check) for name, check in checks.items()))
        silent = [name for name, answered in zip(checks, answers, strict=True) if not answered]
        self._looked_at = time.monotonic()
        return Finding(
            away=tuple(name for name in silent if name in self._needed),
            degraded=tuple(name for name in silent if name in self._optional),
        )


async def _answers(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except Exception as error:  # noqa: BLE001  however a machine fails to answer, it is away
        logger.warning("machine_away", machine=name, error=type(error).__name__)
        return False
    return True
