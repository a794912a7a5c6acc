"""Settings: what is read, what is refused, and that no value ever shows."""

import json
from base64 import b64encode
from pathlib import Path

import pytest

from adapters.settings import (
    Settings,
    SettingsInvalid,
    data_directory,
    load_settings,
    read_environment_file,
    write_environment_file,
)

KEYS = json.dumps({"1": b64encode(bytes(32)).decode()})
COMPLETE = {
    "AFTERSCHOOL_DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1/afterschool",
    "AFTERSCHOOL_REDIS_URL": "redis://127.0.0.1/0",
    "AFTERSCHOOL_SUPABASE_URL": "http://127.0.0.1:9999",
    "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": "publishable",
    "AFTERSCHOOL_SUPABASE_SECRET_KEY": "secret",
    "AFTERSCHOOL_MASTER_KEYS": KEYS,
    "AFTERSCHOOL_FINGERPRINT_KEYS": KEYS,
}


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """Return an environment beside which no system runs."""
    return {"AFTERSCHOOL_DATA_DIR": str(tmp_path / "nothing")}


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsInvalid) as refusal:
        load_settings(environment)
    return str(refusal.value).splitlines()


def test_what_is_set_is_read_and_the_rest_has_defaults() -> None:
    settings = load_settings(
        COMPLETE | {"AFTERSCHOOL_PORT": "8100", "AFTERSCHOOL_CORS_ORIGINS": '["https://a.example"]', "PATH": "/bin"}
    )

    assert settings.port == 8100
    assert settings.cors_origins == ("https://a.example",)
    assert settings.host == "127.0.0.1"
    assert settings.database_url.get_secret_value().endswith("/afterschool")


def test_the_issuer_follows_supabase_unless_it_is_set() -> None:
    derived = load_settings(COMPLETE | {"AFTERSCHOOL_SUPABASE_URL": "https://x.supabase.co/"})
    given = load_settings(COMPLETE | {"AFTERSCHOOL_JWT_ISSUER": "https://issuer.example"})

    assert derived.issuer == "https://x.supabase.co/auth/v1"
    assert given.issuer == "https://issuer.example"


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEYS + "\n", encoding="utf-8")
    environment = {key: value for key, value in COMPLETE.items() if key != "AFTERSCHOOL_MASTER_KEYS"}

    settings = load_settings(environment | {"AFTERSCHOOL_MASTER_KEYS_FILE": str(tmp_path / "keys")})

    assert settings.master_keys.get_secret_value() == KEYS


def test_every_problem_is_listed_at_once_and_no_value_shows(nowhere: dict[str, str], tmp_path: Path) -> None:
    listed = problems(
        nowhere
        | {
            "AFTERSCHOOL_PORT": "hunter2",
            "AFTERSCHOOL_MASTER_KEYS": '{"1": "hunter2"}',
            "AFTERSCHOOL_CORS_ORIGINS": "hunter2",
            "AFTERSCHOOL_REDIS_URL_FILE": str(tmp_path / "missing"),
            "AFTERSCHOOL_HOTS": "hunter2",
        }
    )

    named = {line.split(":")[0].split(" ")[0] for line in listed}
    assert named == {
        *(key for key in COMPLETE if key != "AFTERSCHOOL_MASTER_KEYS"),
        "AFTERSCHOOL_MASTER_KEYS",
        "AFTERSCHOOL_PORT",
        "AFTERSCHOOL_CORS_ORIGINS",
        "AFTERSCHOOL_REDIS_URL_FILE",
        "AFTERSCHOOL_HOTS",
    }
    assert "hunter2" not in "\n".join(listed)


def test_a_misspelt_setting_is_refused_with_the_name_it_may_have_meant() -> None:
    assert problems(COMPLETE | {"AFTERSCHOOL_METRICS_PROT": "1"}) == [
        "AFTERSCHOOL_METRICS_PROT is not a setting; did you mean AFTERSCHOOL_METRICS_PORT?"
    ]


def test_a_setting_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://elsewhere", encoding="utf-8")

    assert problems(COMPLETE | {"AFTERSCHOOL_REDIS_URL_FILE": str(tmp_path / "url")}) == [
        "AFTERSCHOOL_REDIS_URL and AFTERSCHOOL_REDIS_URL_FILE are both set; keep one"
    ]


@pytest.mark.parametrize(
    "keys",
    ["", "[]", "{}", '{"one": "AAAA"}', '{"1": "AAAA"}', '{"1": 5}', '{"1": "not base64!"}', "not json"],
)
def test_a_key_set_that_could_not_seal_is_refused(keys: str) -> None:
    listed = problems(COMPLETE | {"AFTERSCHOOL_MASTER_KEYS": keys})

    assert len(listed) == 1
    assert listed[0].startswith("AFTERSCHOOL_MASTER_KEYS: ")


def test_debugging_on_a_public_address_is_refused() -> None:
    assert load_settings(COMPLETE | {"AFTERSCHOOL_DEBUG": "true"}).debug
    assert problems(COMPLETE | {"AFTERSCHOOL_DEBUG": "true", "AFTERSCHOOL_HOST": "192.0.2.7"}) == [
        "AFTERSCHOOL_DEBUG is on while AFTERSCHOOL_HOST is a public address"
    ]


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "hunter2" not in repr(load_settings(COMPLETE))
    assert "hunter2" not in str(load_settings(COMPLETE))


def test_settings_made_by_hand_do_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSCHOOL_PORT", "1234")

    settings = Settings.model_validate(load_settings(COMPLETE).model_dump())

    assert settings.port == 8000


def test_a_silent_environment_means_the_system_running_in_the_data_directory(tmp_path: Path) -> None:
    write_environment_file(tmp_path / "environment", COMPLETE | {"AFTERSCHOOL_PORT": "8100"})

    settings = load_settings({"AFTERSCHOOL_DATA_DIR": str(tmp_path), "AFTERSCHOOL_DEBUG": "true"})

    assert settings.port == 8100
    assert settings.debug


def test_an_environment_that_names_a_database_is_not_mixed_with_the_running_system(tmp_path: Path) -> None:
    write_environment_file(tmp_path / "environment", COMPLETE)
    elsewhere = {"AFTERSCHOOL_DATABASE_URL": "postgresql://elsewhere/x", "AFTERSCHOOL_DATA_DIR": str(tmp_path)}

    assert len(problems(elsewhere)) == len(COMPLETE) - 1


def test_an_environment_file_keeps_every_character_and_is_for_its_owner_only(tmp_path: Path) -> None:
    values = {"A": KEYS, "B": 'a\'b "c" $d #e =f', "C": ""}

    write_environment_file(tmp_path / "environment", values)

    assert read_environment_file(tmp_path / "environment") == values
    assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600


def test_the_data_directory_is_beside_you_unless_you_say_else() -> None:
    assert data_directory({}) == Path(".afterschool")
    assert data_directory({"AFTERSCHOOL_DATA_DIR": "/srv/x"}) == Path("/srv/x")


def test_a_broker_is_optional_and_named_with_or_without_tls(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()

    plain = load_settings(COMPLETE | {"AFTERSCHOOL_RABBITMQ_URL": "amqp://somebody:hunter2@127.0.0.1/"})
    trusted = load_settings(
        COMPLETE
        | {"AFTERSCHOOL_RABBITMQ_URL": "amqps://broker.example", "AFTERSCHOOL_RABBITMQ_CA_FILE": f"{tmp_path}/ca.pem"}
    )

    assert load_settings(COMPLETE).rabbitmq_url is None
    assert plain.rabbitmq_url
    assert "hunter2" not in repr(plain)
    assert trusted.rabbitmq_ca_file == f"{tmp_path}/ca.pem"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AFTERSCHOOL_RABBITMQ_URL", "http://hunter2"),
        ("AFTERSCHOOL_RABBITMQ_CA_FILE", "/nowhere/hunter2"),
        ("AFTERSCHOOL_BROKER_QUEUES", "0"),
        ("AFTERSCHOOL_BROKER_QUEUES", "65"),
    ],
)
def test_a_broker_that_could_not_be_used_is_refused(name: str, value: str) -> None:
    [problem] = problems(COMPLETE | {name: value})

    assert problem.startswith(f"{name}: ")
    assert "hunter2" not in problem


@pytest.mark.parametrize("everybody", ['["*"]', "*", '["0.0.0.0/0"]', '["10.0.0.1", "::/0"]', '"*"'])
def test_proxies_that_are_everybody_are_refused(everybody: str) -> None:
    [problem] = problems(COMPLETE | {"AFTERSCHOOL_TRUSTED_PROXIES": everybody})

    assert problem.startswith("AFTERSCHOOL_TRUSTED_PROXIES: ")


@pytest.mark.parametrize("nonsense", ["10.0.0.1", "{}", "7", '["proxy.example"]', "[7.5]", '["10.0.0.1/24"]', "null"])
def test_proxies_that_are_no_list_of_networks_are_refused(nonsense: str) -> None:
    [problem] = problems(COMPLETE | {"AFTERSCHOOL_TRUSTED_PROXIES": nonsense})

    assert problem.startswith("AFTERSCHOOL_TRUSTED_PROXIES: ")


def test_proxies_are_addresses_and_networks() -> None:
    settings = load_settings(COMPLETE | {"AFTERSCHOOL_TRUSTED_PROXIES": '["10.0.0.7", "fd00::/8"]'})

    assert list(map(str, settings.trusted_proxies)) == ["10.0.0.7/32", "fd00::/8"]


@pytest.mark.parametrize("name", ["RATE_LIMIT", "RATE_LIMIT_BURST", "LOGIN_LIMIT", "LOGIN_LIMIT_OF_ACCOUNT"])
def test_no_limit_can_be_turned_off(name: str) -> None:
    [problem] = problems(COMPLETE | {f"AFTERSCHOOL_{name}": "0"})

    assert problem.startswith(f"AFTERSCHOOL_{name}: ")
