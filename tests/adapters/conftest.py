"""The stand-in for Supabase Auth on a fresh database, in this process, for the tests of adapters."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.embedded.auth.app import StandIn, open_stand_in
from adapters.embedded.auth.settings import StandInSettings
from adapters.identity import SupabaseIdentity
from tests.adapters.provider import Clock, Desk, Provider, a_verifier

PUBLISHABLE = "sb_publishable_test"
SECRET = "sb_secret_test"


def stand_in_settings(database: str, key_file: Path, url: str = "http://127.0.0.1:54321") -> StandInSettings:
    """Return settings with the keys that the tests know."""
    return StandInSettings(
        database_url=database, url=url, publishable_key=PUBLISHABLE, secret_key=SECRET, key_file=key_file
    )


@pytest.fixture
async def stand_in(database: str, tmp_path: Path) -> AsyncIterator[StandIn]:
    """Open a stand-in of its own keys."""
    async with open_stand_in(stand_in_settings(database, tmp_path / "auth.json")) as opened:
        yield opened


@pytest.fixture
async def http(stand_in: StandIn) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client whose requests end in the stand-in."""
    async with stand_in.client() as client:
        yield client


@pytest.fixture
def identity(stand_in: StandIn, http: httpx.AsyncClient) -> SupabaseIdentity:
    """Return our side of it: the real supabase client on the stand-in."""
    return SupabaseIdentity(http, url=stand_in.settings.url, publishable_key=PUBLISHABLE, secret_key=SECRET)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    provider, clock = Provider(), Clock()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(provider.app)) as http:
        yield Desk(provider, clock, a_verifier(http, clock))
