"""The stand-in as a program: where it listens, what it needs, and that it stops."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from supabase import AsyncClientOptions, create_async_client
from supabase_auth.errors import AuthApiError

from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.settings import load_stand_in_settings
from adapters.embedded.loopback import free_port
from adapters.settings import SettingsInvalid
from tests.adapters.conftest import PUBLISHABLE, SECRET, stand_in_settings
from tests.adapters.embedded.auth.calls import PASSWORD, Json


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0:9999",
        "http://192.168.1.5:9999",
        "http://example.org",
        "https://127.0.0.1:9999",
        "http://[::]:9999",
        "http://127.0.0.1.example.org",
        "127.0.0.1:9999",
    ],
)
async def test_an_address_that_is_not_plain_http_on_loopback_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsInvalid, match="loopback"):
        stand_in_settings("postgresql://", tmp_path / "auth.json", url)


async def test_every_missing_setting_is_named() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load_stand_in_settings({"AFTERSCHOOL_SUPABASE_URL": "http://127.0.0.1:9999"})

    assert str(refused.value).splitlines() == [
        "AFTERSCHOOL_DATABASE_URL is not set",
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY is not set",
        "AFTERSCHOOL_SUPABASE_SECRET_KEY is not set",
        "AFTERSCHOOL_AUTH_KEY_FILE is not set",
    ]


async def test_stand_ins_that_start_together_make_one_set_of_tables_and_keys(database: str, tmp_path: Path) -> None:
    async def keys() -> Json:
        async with (
            open_stand_in(stand_in_settings(database, tmp_path / "auth.json")) as opened,
            opened.client() as http,
        ):
            answer: Json = (await http.get("/.well-known/jwks.json")).json()
            return answer

    published = await asyncio.gather(*(keys() for _ in range(4)))

    assert all(one == published[0] for one in published)


async def test_as_a_process_it_serves_the_real_supabase_client_and_stops_cleanly(database: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": "src",
        "AFTERSCHOOL_DATABASE_URL": database,
        "AFTERSCHOOL_SUPABASE_URL": url,
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": PUBLISHABLE,
        "AFTERSCHOOL_SUPABASE_SECRET_KEY": SECRET,
        "AFTERSCHOOL_AUTH_KEY_FILE": str(tmp_path / "auth.json"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.embedded.auth"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with httpx.AsyncClient(timeout=10) as http:
            await until_it_answers(process, http, f"{url}/auth/v1/health")
            options = AsyncClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
            admin = await create_async_client(url, SECRET, options)
            await admin.auth.admin.create_user(
                {"email": "ada@example.org", "password": PASSWORD, "email_confirm": True}
            )
            client = await create_async_client(url, PUBLISHABLE, options)
            signed_in = await client.auth.sign_in_with_password({"email": "ada@example.org", "password": PASSWORD})
            with pytest.raises(AuthApiError, match="Invalid login credentials"):
                await client.auth.sign_in_with_password({"email": "ada@example.org", "password": "wrong"})
            found = await client.auth.get_user(signed_in.session.access_token if signed_in.session else "")
            assert found is not None
            assert found.user.email == "ada@example.org"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)

    assert process.returncode == 0
    assert output == b""


async def until_it_answers(process: "subprocess.Popen[bytes]", http: httpx.AsyncClient, url: str) -> None:
    while process.poll() is None:
        try:
            await http.get(url)
        except httpx.ConnectError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the stand-in ended")
