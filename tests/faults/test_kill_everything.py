"""Everything is killed at random under load: nothing is lost, nothing happens twice, every read is true."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.system import System
from tests.faults.trial import LONGEST, long_trial, short_trial


@pytest.fixture
async def system(machine: Path) -> AsyncIterator[System]:
    async with System(machine / uuid4().hex) as system:
        yield system


async def test_nothing_is_lost_or_doubled_whatever_is_killed(system: System) -> None:
    await short_trial(system, seconds=15, rounds=3)


@pytest.mark.long
@pytest.mark.timeout(LONGEST + 1200)
async def test_nothing_is_lost_or_doubled_however_long_it_goes_on(system: System) -> None:
    await long_trial(system)
