"""Foreign values: nobody is ever shown another family's child, whatever they try and whatever breaks meanwhile."""

import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from adapters.embedded.auth import passwords
from tests.faults import leaks
from tests.faults.neighbourhood import pry
from tests.faults.neighbours import MARK
from tests.faults.prying import OPERATIONS, Prying
from tests.faults.trial import SEED
from tests.faults.village import open_village

Plant = pytest.MonkeyPatch
FAMILIES = 40
FEW = pytest.param(10_000, id="few")
MANY = pytest.param(100_000, id="many", marks=pytest.mark.long)
PLANTED = [
    leaks.everybody_follows_everybody,
    leaks.one_cache_key_for_everybody,
    leaks.repeats_of_anybody,
    leaks.access_log_without_its_filter,
    leaks.permissions_remembered_for_ever,
]


@pytest.fixture
def place(machine: Path, monkeypatch: Plant) -> Path:
    """Return a directory for machines on which passwords are cheap to check, for it is not them that are tried."""
    monkeypatch.setattr(passwords, "N", 2)
    directory = machine / uuid4().hex
    directory.mkdir(mode=0o755)
    return directory


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("requests", [FEW, MANY])
async def test_nobody_is_shown_another_family(database: str, place: Path, requests: int) -> None:
    sys.stdout.write(f"to repeat: FAULT_SEED={SEED}\n")

    with capture_logs() as logged:
        async with open_village(database, place) as village:
            seen = await pry(village, SEED, families=FAMILIES, requests=requests)
    sys.stdout.write(f"{seen.summary()}\n{dict(village.happened)}\n")

    assert seen.eyes.foreign == []
    assert seen.complaints == []
    assert seen.asked.total() >= requests
    assert min(seen.asked[operation] for operation in OPERATIONS) >= requests / 400
    assert seen.statuses[503] < requests / 50
    assert_foreign_and_missing_are_refused_alike(seen)
    assert MARK.search(str(logged)) is None


@pytest.mark.parametrize("plant_leak", PLANTED, ids=[leak.__name__ for leak in PLANTED])
async def test_a_planted_leak_is_found(
    database: str, place: Path, plant_leak: Callable[[Plant], None], monkeypatch: Plant
) -> None:
    plant_leak(monkeypatch)

    with capture_logs():
        async with open_village(database, place) as village:
            seen = await pry(village, SEED, families=16, requests=20_000, with_faults=False, enough=1)

    assert seen.eyes.foreign


def assert_foreign_and_missing_are_refused_alike(seen: Prying) -> None:
    for operation, refusals in seen.refusals.items():
        if len(refusals) == 2:
            assert refusals["foreign"] == refusals["missing"], operation
