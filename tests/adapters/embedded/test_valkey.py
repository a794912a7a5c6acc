"""Embedded Valkey: behind a password, on loopback, empty after every start."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from adapters.embedded.valkey import EmbeddedValkey


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "valkey")
    await server.start()
    yield server
    await server.stop()


async def test_nobody_gets_in_without_the_password(server: EmbeddedValkey) -> None:
    client = Redis.from_url(f"redis://{server.address}/0")

    with pytest.raises(AuthenticationError):
        await client.get("anything")

    await client.aclose()


async def test_it_listens_on_loopback_evicts_the_least_used_and_persists_nothing(server: EmbeddedValkey) -> None:
    client = Redis.from_url(server.url, decode_responses=True)

    assert await client.config_get("bind") == {"bind": "127.0.0.1"}
    assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
    assert await client.config_get("save") == {"save": ""}
    assert await client.config_get("appendonly") == {"appendonly": "no"}

    await client.aclose()


async def test_after_a_kill_it_is_empty_and_at_the_same_address(server: EmbeddedValkey) -> None:
    before = server.url
    client = Redis.from_url(before)
    await client.set("cached", "value")
    await client.aclose()
    assert server.process is not None
    server.process.kill()
    await server.process.wait()

    await server.start()

    assert server.url == before
    client = Redis.from_url(before)
    assert await client.get("cached") is None
    await client.aclose()


async def test_its_password_is_for_its_owner_only_and_not_on_the_command_line(
    server: EmbeddedValkey, tmp_path: Path
) -> None:
    password = (tmp_path / "valkey" / "password").read_text(encoding="utf-8")
    assert server.process is not None
    command_line = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()

    assert password in server.url
    assert password.encode() not in command_line
    assert stat.S_IMODE((tmp_path / "valkey" / "valkey.conf").stat().st_mode) == 0o600


async def test_a_stopped_server_can_be_stopped_again(server: EmbeddedValkey) -> None:
    await server.stop()

    await server.stop()

    assert server.process is None
