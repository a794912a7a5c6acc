"""Machine: what it decides itself is not taken from the environment, and everything else is passed on."""

from pathlib import Path

import pytest

from cli.machine import Machine


def test_what_one_machine_decides_itself_is_not_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERSCHOOL_DATABASE_URL", "postgresql://production/afterschool")
    monkeypatch.setenv("AFTERSCHOOL_REDIS_URL_FILE", "/run/secrets/redis")
    monkeypatch.setenv("AFTERSCHOOL_MASTER_KEYS", "production's")
    monkeypatch.setenv("AFTERSCHOOL_HOST", "192.0.2.7")
    monkeypatch.setenv("AFTERSCHOOL_DOCS", "false")

    environment = Machine(0, 0, tmp_path).environment

    assert (
        not {"AFTERSCHOOL_DATABASE_URL", "AFTERSCHOOL_REDIS_URL_FILE", "AFTERSCHOOL_MASTER_KEYS"} & environment.keys()
    )
    assert environment["AFTERSCHOOL_MASTER_KEYS_FILE"] == str(tmp_path / "keys" / "master_keys")
    assert environment["AFTERSCHOOL_HOST"] == "127.0.0.1"
    assert environment["AFTERSCHOOL_DOCS"] == "false"


def test_ports_asked_for_are_taken_and_the_others_are_free_and_different(tmp_path: Path) -> None:
    environment = Machine(8123, 9123, tmp_path).environment

    assert environment["AFTERSCHOOL_PORT"] == "8123"
    assert environment["AFTERSCHOOL_METRICS_PORT"] == "9123"
    assert environment["AFTERSCHOOL_SUPABASE_URL"].startswith("http://127.0.0.1:2")


def test_without_a_broker_none_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSCHOOL_RABBITMQ_URL", "amqps://broker.example")
    monkeypatch.setenv("AFTERSCHOOL_RABBITMQ_CA_FILE", "/ca.pem")

    environment = Machine(0, 0, tmp_path).environment

    assert not [name for name in environment if "RABBITMQ" in name]


def test_with_a_broker_the_given_one_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSCHOOL_RABBITMQ_URL_FILE", "/run/secrets/broker")
    monkeypatch.setenv("AFTERSCHOOL_RABBITMQ_CA_FILE", "/ca.pem")

    environment = Machine(0, 0, tmp_path, broker=True).environment

    assert environment["AFTERSCHOOL_RABBITMQ_URL_FILE"] == "/run/secrets/broker"
    assert environment["AFTERSCHOOL_RABBITMQ_CA_FILE"] == "/ca.pem"
