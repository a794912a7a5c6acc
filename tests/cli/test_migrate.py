"""`afterschool migrate`: it brings the schema up to date, says so, and fails in a sentence."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.embedded.loopback import free_port
from adapters.migrations import known_migrations
from cli.command_line import command_line
from cli.exits import UNREACHABLE, WRONG


def environment(database_url: str) -> dict[str, str]:
    keys = json.dumps({"1": b64encode(bytes(32)).decode()})
    return {
        "AFTERSCHOOL_DATABASE_URL": database_url,
        "AFTERSCHOOL_REDIS_URL": "redis://127.0.0.1",
        "AFTERSCHOOL_SUPABASE_URL": "http://127.0.0.1",
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": "publishable",
        "AFTERSCHOOL_SUPABASE_SECRET_KEY": "secret",
        "AFTERSCHOOL_MASTER_KEYS": keys,
        "AFTERSCHOOL_FINGERPRINT_KEYS": keys,
    }


def migrate(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(command_line(["migrate"]), ["migrate"])
    return result.exit_code, result.output


def test_it_names_what_it_applied_and_has_nothing_to_do_the_second_time(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = migrate(environment(empty_database), monkeypatch)
    second = migrate(environment(empty_database), monkeypatch)

    assert first == (0, "".join(f"applied {migration.name}\n" for migration in known_migrations()))
    assert second == (0, "The schema is up to date.\n")


def test_without_settings_it_lists_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = migrate({"AFTERSCHOOL_DATA_DIR": str(tmp_path)}, monkeypatch)

    assert code == WRONG
    assert "AFTERSCHOOL_DATABASE_URL: Field required" in told
    assert "AFTERSCHOOL_MASTER_KEYS: Field required" in told


def test_a_database_that_is_away_can_be_told_from_one_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = migrate(environment(f"postgresql://x:hunter2@127.0.0.1:{free_port()}/x"), monkeypatch)

    assert code == UNREACHABLE
    assert "hunter2" not in told
