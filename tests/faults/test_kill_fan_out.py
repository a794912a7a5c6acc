"""The whole shape is tormented: broker, relays, projectors, links and messages, with everything else killed as well."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.system import System
from tests.faults.trial import LONGEST, long_trial, short_trial


@pytest.fixture
async def system(machine: Path) -> AsyncIterator[System]:
    async with System(machine / uuid4().hex, broker=True) as system:
        yield system


async def test_nothing_is_lost_doubled_reordered_or_hidden_whatever_happens_to_the_broker(system: System) -> None:
    await short_trial(system, seconds=40, rounds=2)


@pytest.mark.long
@pytest.mark.timeout(LONGEST + 1200)
async def test_nothing_is_lost_doubled_reordered_or_hidden_however_long_it_goes_on(system: System) -> None:
    await long_trial(system)
