"""Sessions on the command line: an operator sees who is signed in, and ends it."""

import json
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from adapters.sessions import Sessions
from adapters.tokens import Claims
from domain.errors import TokenRefused
from eventstore.connections import APP, create_pool
from tests.cli.conftest import Terminal


@pytest.fixture
async def sessions(database: str) -> AsyncIterator[Sessions]:
    pool = await create_pool(database, APP, size=2)
    yield Sessions(pool)
    await pool.close()


def claims(user_id: UUID) -> Claims:
    now = int(time.time())
    return Claims(user_id, uuid4(), now + 3600, now - 60)


async def test_nobody_is_signed_in_at_first(terminal: Terminal) -> None:
    shown, told = await terminal("sessions", "list"), await terminal("sessions", "list", "--json")

    assert (shown.exit_code, shown.stdout) == (0, "Nobody is signed in.\n")
    assert json.loads(told.stdout) == []


async def test_the_list_names_session_and_user_and_what_is_over_when_asked(
    terminal: Terminal, sessions: Sessions
) -> None:
    ada, ben = claims(uuid4()), claims(uuid4())
    for one in (ada, ben):
        await sessions.open(one)
    await sessions.revoke(ben.session_id, "logout")

    live, everything = await terminal("sessions", "list"), await terminal("sessions", "list", "--revoked")
    of_ben = await terminal("sessions", "list", "--user", str(ben.user_id))
    told = json.loads((await terminal("sessions", "list", "--revoked", "--json")).stdout)

    assert live.stdout.startswith(f"{ada.session_id}  {ada.user_id}  ")
    assert len(live.stdout.splitlines()) == 1
    assert f"{ben.session_id}  {ben.user_id}" in everything.stdout
    assert "over: logout" in everything.stdout
    assert of_ben.stdout == "This user is not signed in.\n"
    assert {one["id"]: one["revoked_because"] for one in told} == {
        str(ada.session_id): None,
        str(ben.session_id): "logout",
    }


async def test_a_session_is_ended_for_good(terminal: Terminal, sessions: Sessions) -> None:
    ended, other = claims(uuid4()), claims(uuid4())
    for one in (ended, other):
        await sessions.open(one)

    first = await terminal("sessions", "revoke", "--session", str(ended.session_id))
    second = await terminal("sessions", "revoke", "--session", str(ended.session_id))

    assert (first.exit_code, first.stdout) == (0, "Ended 1 session.\n")
    assert (second.exit_code, second.stdout) == (1, "Ended 0 sessions.\n")
    with pytest.raises(TokenRefused):
        await sessions.open(ended)
    await sessions.open(other)


async def test_all_of_a_users_sessions_are_ended_seen_or_not(terminal: Terminal, sessions: Sessions) -> None:
    user_id = uuid4()
    seen, unseen = claims(user_id), claims(user_id)
    await sessions.open(seen)

    done = await terminal("sessions", "revoke", "--user", str(user_id))

    assert (done.exit_code, done.stdout) == (0, "Ended 1 session.\n")
    for one in (seen, unseen):
        with pytest.raises(TokenRefused):
            await sessions.open(one)


@pytest.mark.parametrize("options", [[], ["--user", str(uuid4()), "--session", str(uuid4())]])
async def test_one_of_user_and_session_must_be_named(terminal: Terminal, options: list[str]) -> None:
    done = await terminal("sessions", "revoke", *options)

    assert done.exit_code == 2
    assert "Name either a user or a session." in done.stderr
