"""The stand-in's secrets: what rests in clear, who may read its keys, and what haste would tell."""

import stat
import time
from pathlib import Path
from statistics import median

import asyncpg
import httpx
import jwt
import pytest

from adapters.embedded.auth.app import StandIn, open_stand_in
from adapters.embedded.auth.key_file import KeyFileRefused, load_keys, rotate_signing_key
from adapters.tokens import TokenVerifier
from tests.adapters.embedded.auth.calls import Make, bearing, refresh, sign_in


async def test_an_unknown_e_mail_takes_as_long_as_a_wrong_password(http: httpx.AsyncClient, make: Make) -> None:
    await make()

    async def seconds(email: str) -> float:
        begun = time.perf_counter()
        await sign_in(http, email, "wrong password")
        return time.perf_counter() - begun

    times = [(await seconds("ada@example.org"), await seconds("nobody@example.org")) for _ in range(7)]

    known, unknown = (median(column) for column in zip(*times, strict=True))
    assert 0.5 < unknown / known < 2


async def test_nothing_secret_or_personal_rests_in_clear(http: httpx.AsyncClient, make: Make, database: str) -> None:
    await make(email="canary@example.org", password="canary password", user_metadata={"name": "canary name"})
    session = (await sign_in(http, "canary@example.org", "canary password")).json()
    session = (await refresh(http, session["refresh_token"])).json()

    connection = await asyncpg.connect(database)
    rows = [
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for table in ("users", "sessions", "refresh_tokens")
        for row in await connection.fetch(f"select * from auth_standin.{table}")
        for value in row.values()
    ]
    await connection.close()

    everything = b"\n".join(rows)
    for secret in ("canary", session["refresh_token"], session["access_token"]):
        assert secret.encode() not in everything


async def test_the_key_file_is_made_for_its_owner_only_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "auth.json"

    first, second = load_keys(file), load_keys(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.lookup == second.lookup
    assert [key.kid for key in first.signing] == [key.kid for key in second.signing]
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
async def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "auth.json"
    load_keys(file)
    file.chmod(mode)

    with pytest.raises(KeyFileRefused, match="chmod 600"):
        load_keys(file)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"signing": []}', '{"signing": [{"kid": "a", "pem": "b"}]}'])
async def test_a_broken_key_file_is_refused_and_never_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.touch(0o600)
    file.write_text(text)

    with pytest.raises(KeyFileRefused):
        load_keys(file)
    assert file.read_text() == text


async def test_a_rotated_key_signs_while_the_one_before_still_verifies(
    stand_in: StandIn, http: httpx.AsyncClient, make: Make
) -> None:
    await make()
    before = (await sign_in(http)).json()
    rotate_signing_key(stand_in.settings.key_file)

    async with open_stand_in(stand_in.settings) as restarted, restarted.client() as client:
        after = (await refresh(client, before["refresh_token"])).json()
        keys = (await client.get("/.well-known/jwks.json")).json()["keys"]
        base = restarted.settings.base
        verifier = TokenVerifier(
            client, jwks_url=f"{base}/.well-known/jwks.json", issuer=base, audience="authenticated"
        )
        claims = [await verifier.verify(session["access_token"]) for session in (before, after)]
        still_in = await client.get("/user", headers=bearing(before["access_token"]))

    kids = [jwt.get_unverified_header(session["access_token"])["kid"] for session in (before, after)]
    assert kids[0] != kids[1]
    assert {key["kid"] for key in keys} == set(kids)
    assert claims[0].session_id == claims[1].session_id
    assert still_in.status_code == 200
