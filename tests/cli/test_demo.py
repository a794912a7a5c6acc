"""Demo accounts: made once, through the API, for this machine only."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import Terminal
from tests.eventstore.conftest import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "demo-accounts.json"


async def people(terminal: Terminal) -> dict[str, dict[str, Any]]:
    shown = await terminal("demo", "accounts", "--json")
    assert shown.exit_code == 0, shown.stderr
    return {account["who"]: account for account in json.loads(shown.stdout)}


def signed_in(account: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {account['access_token']}"}


async def test_a_parent_a_child_and_a_student_can_do_what_their_roles_allow(
    terminal: Terminal, api: httpx.AsyncClient
) -> None:
    found = await people(terminal)

    parent, child, student = found["parent"], found["child"], found["student"]
    assert [account["role"] for account in (parent, child, student)] == ["parent", "student", "student"]
    followed = await api.get(f"/users/{child['id']}", headers=signed_in(parent))
    not_followed = await api.get(f"/users/{student['id']}", headers=signed_in(parent))
    own = await api.get(f"/users/{student['id']}", headers=signed_in(student))
    assert (followed.status_code, not_followed.status_code, own.status_code) == (200, 403, 200)
    assert own.json()["email"] == student["email"]


async def test_the_child_may_practise_at_once_and_the_student_is_told_to_find_a_guardian(
    terminal: Terminal, api: httpx.AsyncClient
) -> None:
    found = await people(terminal)
    report = {"subject": "math", "topic": "fractions", "score": 87.5, "time_spent": 240, "completed": True}

    child, student = [
        await api.post("/progress", json=report | {"student_id": found[who]["id"]}, headers=signed_in(found[who]))
        for who in ("child", "student")
    ]

    assert child.status_code == 201
    assert (student.status_code, student.json()["type"]) == (403, "/problems/consent-required")
    assert "pairing-codes" in (await terminal("demo", "accounts")).stdout


async def test_a_second_call_makes_nothing_and_shows_the_same(
    terminal: Terminal, api: httpx.AsyncClient, store: Store
) -> None:
    del api
    first = await terminal("demo", "accounts")
    head = await store.reader.head()

    second = await terminal("demo", "accounts")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert second.stdout == first.stdout
    assert await store.reader.head() == head == 6


async def test_accounts_whose_answers_were_lost_are_not_made_twice(
    terminal: Terminal, api: httpx.AsyncClient, store: Store, file: Path
) -> None:
    del api
    made = await people(terminal)
    forgetful = [account | {"id": ""} for account in json.loads(file.read_text(encoding="utf-8"))]
    file.write_text(json.dumps(forgetful), encoding="utf-8")

    found = await people(terminal)

    assert {who: account["id"] for who, account in found.items()} == {
        who: account["id"] for who, account in made.items()
    }
    assert await store.reader.head() == 6


async def test_passwords_lie_in_a_file_for_their_owner_and_nowhere_in_the_log(
    terminal: Terminal, api: httpx.AsyncClient, file: Path
) -> None:
    del api
    found = await people(terminal)

    exported = await terminal("events", "export", "--with-sealed")

    assert file.stat().st_mode & 0o777 == 0o600
    assert len({account["password"] for account in found.values()}) == 3
    assert not any(account["password"] in exported.output for account in found.values())


async def test_people_read_them_without_the_api_once_they_exist(terminal: Terminal, api: httpx.AsyncClient) -> None:
    del api
    found = await people(terminal)

    shown = await terminal("demo", "accounts", AFTERSCHOOL_PORT="1")

    assert shown.exit_code == 0
    assert all(account[name] in shown.stdout for account in found.values() for name in ("id", "email", "password"))


async def test_an_email_that_is_taken_is_told(terminal: Terminal, api: httpx.AsyncClient, file: Path) -> None:
    del api
    await people(terminal)
    file.unlink()

    refused = await terminal("demo", "accounts")

    assert refused.exit_code == 1
    assert "register demo.parent@example.org" in refused.stderr
    assert "has an account already" in refused.stderr


@pytest.mark.parametrize(
    "public",
    [
        {"AFTERSCHOOL_HOST": "0.0.0.0"},  # noqa: S104  that is the point
        {"AFTERSCHOOL_HOST": "192.0.2.7"},
        {"AFTERSCHOOL_SUPABASE_URL": "https://project.supabase.co"},
    ],
)
async def test_a_system_that_others_can_reach_gets_no_demo_accounts(
    terminal: Terminal, file: Path, public: dict[str, str]
) -> None:
    refused = await terminal("demo", "accounts", **public)

    assert refused.exit_code == 1
    assert "for one machine only" in refused.stderr
    assert not file.exists()


async def test_an_api_that_is_away_is_told_and_the_passwords_drawn_stay(terminal: Terminal, file: Path) -> None:
    away = await terminal("demo", "accounts")
    drawn = file.read_text(encoding="utf-8")
    still_away = await terminal("demo", "accounts")

    assert (away.exit_code, still_away.exit_code) == (3, 3)
    assert file.read_text(encoding="utf-8") == drawn
