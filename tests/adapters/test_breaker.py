"""Breaker: it opens on a failure and closes by itself."""

from adapters.breaker import Breaker


def test_a_breaker_is_open_for_its_rest_after_a_failure_and_closed_before_and_after() -> None:
    now = 100.0
    breaker = Breaker(1.0, clock=lambda: now)
    before = breaker.is_open

    breaker.trip()

    now = 100.9
    meanwhile = breaker.is_open
    now = 101.0
    assert (before, meanwhile, breaker.is_open) == (False, True, False)
