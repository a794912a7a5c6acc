"""Supervisor: starts the parts of one machine, starts again what dies, stops everything in order."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from adapters.embedded.process import DidNotStart

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_STEADY = 30.0
"""Seconds a part must have lived for its next death to count as a first one."""


class Part(Protocol):
    """A server or a program of one machine; started again, it listens where it did before."""

    name: str
    process: asyncio.subprocess.Process | None

    @property
    def address(self) -> str:
        """Where it listens, or nothing."""

    async def start(self) -> None:
        """Start it and wait until it is ready, or raise `DidNotStart`."""

    async def stop(self, seconds: float) -> None:
        """Ask it to stop, and kill it after that many seconds."""


class Supervisor:
    """Keeps the parts alive; `say` gets a line whenever an operator should know something."""

    def __init__(self, stages: Sequence[tuple[float, Sequence[Part]]], say: Callable[[str], None]) -> None:
        """Take the parts in stages: the last stage is stopped first; each with the seconds its parts have to stop."""
        self._stages = stages
        self._say = say
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, *parts: Part) -> None:
        """Start these parts side by side and keep them alive from then on; raises `DidNotStart` when one does not."""
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._start(part))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """Stop every part, those of a stage together, the last stage first."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for seconds, parts in reversed(self._stages):
            await asyncio.gather(*(part.stop(seconds) for part in parts))

    async def _start(self, part: Part) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await part.start()
        self._say(started(part.name, part.address, loop.time() - began))
        self._keepers.append(asyncio.create_task(self._keep(part)))

    async def _keep(self, part: Part) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while part.process is not None:
            began = loop.time()
            how = _how_it_ended(await part.process.wait())
            pause = _FIRST_PAUSE if loop.time() - began > _STEADY else pause
            self._say(f"  {part.name} {how}; starting it again")
            pause = await self._revive(part, pause)

    async def _revive(self, part: Part, pause: float) -> float:
        """Try until it is up again, with growing pauses; return how long to wait if it dies soon."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                await part.start()
            except DidNotStart as reason:
                self._say(f"  {reason}; trying again")
            except Exception as error:  # noqa: BLE001  whoever keeps the parts alive must not end for one of them
                self._say(f"  {part.name} did not start ({type(error).__name__}); trying again")
            else:
                self._say(f"  {part.name} is up again after {loop.time() - began:.1f} s")
                return pause


def started(name: str, where: str, seconds: float) -> str:
    """Say what is up, where, and how long it took, in columns."""
    return f"  {name:<11} {where:<18} {seconds:5.1f} s"


def _how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
