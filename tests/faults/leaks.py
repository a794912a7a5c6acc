"""Leaks: what a careless hand might have left open, planted in the place of what keeps families apart."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from adapters import reads
from adapters.cache import Cache, Glimpse
from adapters.gcra import Charge
from api import security
from api.command import COMMANDS, Attempt
from api.routes import accesses
from domain.reads import Read
from eventstore.connections import APP
from eventstore.fence import Reads

Plant = pytest.MonkeyPatch


def everybody_follows_everybody(plant: Plant) -> None:
    async def check_nothing(*_: object, **__: object) -> None:
        pass

    no_fence(plant)
    plant.setattr("api.security.check_may_follow", check_nothing)
    plant.setattr("api.routes.live.check_may_follow", check_nothing)


def one_cache_key_for_everybody(plant: Plant) -> None:
    look, lease, fill = Cache.look, Cache.lease, Cache.fill

    def shared(key: str) -> str:
        return f"user:shared:{key.rpartition(':')[2]}"

    def look_at_one(
        self: Cache, token_hash: str | None = None, value_key: str | None = None, charge: Charge | None = None
    ) -> Awaitable[Glimpse]:
        return look(self, token_hash, value_key and shared(value_key), charge)

    plant.setattr(Cache, "look", look_at_one)
    plant.setattr(Cache, "lease", lambda self, key: lease(self, shared(key)))
    plant.setattr(Cache, "fill", lambda self, key, *values, **more: fill(self, shared(key), *values, **more))


def repeats_of_anybody(plant: Plant) -> None:
    def command_id(self: Attempt, operation: str, _: str) -> UUID:
        return uuid4() if self.key is None else uuid5(COMMANDS, f"{operation}\x1f{self.key}")

    plant.setattr(Attempt, "command_id", command_id)


def access_log_without_its_filter(plant: Plant) -> None:
    async def read_all(rows: Reads, *, of: UUID, **more: Any) -> list[Read]:  # noqa: ANN401
        del of
        return await reads.read_back(rows, **more)

    no_fence(plant)
    plant.setattr(accesses, "read_back", read_all)


def permissions_remembered_for_ever(plant: Plant) -> None:
    plant.setattr(security, "REMEMBERED", 1e9)


def no_fence(plant: Plant) -> None:
    """Let queries run in a role that sees every row; nobody notices as long as nothing else is open."""
    plant.setattr("adapters.wiring.QUERIES", APP)
