"""The commands run on the real log, with a fresh database for each test."""

from tests.eventstore.conftest import store

__all__ = ["store"]
