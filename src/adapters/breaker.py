"""Breaker: keeps everyone from waiting for a machine that has just failed."""

import time
from collections.abc import Callable


class Breaker:
    """Opens on a failure and closes by itself some seconds later, when the next call is the next try."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._open_until = float("-inf")

    @property
    def is_open(self) -> bool:
        """Tell whether the machine failed so lately that it should not be asked."""
        return self._clock() < self._open_until

    def trip(self) -> None:
        """Note a failure."""
        self._open_until = self._clock() + self._seconds
