"""Compose: the full shape is described soundly, without a secret, with settings that exist; no engine needed."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from ruamel.yaml import YAML

from adapters.embedded.loopback import free_port
from adapters.embedded.process import end, spawn
from adapters.embedded.valkey import _binary
from adapters.settings import Settings, load_settings
from tests.workers.running import eventually

ROOT = Path(__file__).parents[1]
COMPOSE: Mapping[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = ("api", "housekeeper", "migrate", "projector", "relay")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw all secrets, as an operator does."""
    directory = tmp_path_factory.mktemp("compose") / "secrets"
    draw_secrets(directory)
    return directory


def draw_secrets(directory: Path) -> None:
    script = ROOT / "infra" / "docker" / "secrets.sh"
    subprocess.run([script, directory], env=os.environ | {"AFTERSCHOOL_SUPABASE_SECRET_KEY": "sb_secret_x"}, check=True)


def test_it_is_what_the_compose_specification_asks_for() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_it_holds_the_full_shape() -> None:
    assert SERVICES.keys() == {*OURS, "postgres", "rabbitmq", "redis", "objects", "proxy"}
    assert SERVICES["relay"]["deploy"]["replicas"] >= 2
    assert SERVICES["projector"]["deploy"]["replicas"] >= 2


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate"}))
def test_every_service_says_whether_it_is_well_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - set(OURS)))
def test_every_image_of_others_names_its_version(name: str) -> None:
    assert re.search(r":[A-Z.]*\d", SERVICES[name]["image"])


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_secret_is_in_it_and_every_secret_is_a_file_that_is_drawn_and_ignored(secrets: Path) -> None:
    files = {secret["file"] for secret in COMPOSE["secrets"].values()}
    told = [value for service in SERVICES.values() for value in service.get("environment", {}).items()]

    assert {Path(file).name for file in files} == {file.name for file in secrets.iterdir()}
    assert {Path(file).parent for file in files} == {Path("infra/docker/secrets")}
    assert "/infra/docker/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for name, value in told:
        assert not re.search("KEY|PASSWORD|SECRET|_URL", name) or value.startswith(("/run/secrets/", "${")), name


def test_secrets_once_drawn_are_kept_and_are_not_for_others(secrets: Path) -> None:
    before = {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()}

    draw_secrets(secrets)

    assert {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()} == before
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", OURS)
def test_each_process_of_ours_gets_settings_that_are_complete_and_exist(name: str, secrets: Path) -> None:
    settings = environment_of(name, secrets)

    loaded = load_settings(settings)

    assert loaded.rabbitmq_url
    assert loaded.rabbitmq_url.get_secret_value().startswith("amqp://afterschool:")
    assert {key.removeprefix("AFTERSCHOOL_").removesuffix("_FILE").lower() for key in settings} <= {
        *Settings.model_fields
    }
    for key, value in SERVICES[name]["environment"].items():
        assert not key.endswith("_FILE") or Path(value).name in SERVICES[name]["secrets"]


def environment_of(name: str, secrets: Path) -> dict[str, str]:
    """Return what the process sees, its secrets being here and what the operator gives being given."""
    given = {
        "AFTERSCHOOL_SUPABASE_URL": "https://x.supabase.co",
        "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    }
    read = SERVICES[name]["environment"].items()
    return {key: given.get(key, value.replace("/run/secrets", str(secrets))) for key, value in read}


@pytest.mark.parametrize(
    ("service", "command"), [("api", "serve"), ("relay", "relay"), ("projector", "project"), ("migrate", "migrate")]
)
def test_each_process_of_ours_runs_its_command(service: str, command: str) -> None:
    assert SERVICES[service]["command"] == [command]


def test_files_it_mounts_are_there() -> None:
    mounts = [
        volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume.startswith(".")
    ]

    assert mounts
    for mount in mounts:
        assert (ROOT / mount.split(":")[0]).is_file()


async def test_redis_keeps_nothing_on_disk_and_asks_for_the_password(secrets: Path, tmp_path: Path) -> None:
    port = free_port()
    settings = (ROOT / "infra" / "redis" / "redis.conf").read_text(encoding="utf-8")
    here = settings.replace("/run/secrets", str(secrets)).replace("bind * -::*", "bind 127.0.0.1")
    (tmp_path / "redis.conf").write_text(f"{here}\nport {port}\n", encoding="utf-8")
    process = await spawn([str(_binary()), str(tmp_path / "redis.conf")], lock=tmp_path / "pid", log=tmp_path / "log")
    password = (secrets / "redis_url").read_text(encoding="utf-8").split("@")[0].removeprefix("redis://:")
    client = Redis(host="127.0.0.1", port=port, password=password, decode_responses=True)

    async def answers() -> bool:
        try:
            return bool(await client.ping())
        except OSError:
            return False

    await eventually(answers)
    assert await client.config_get("save") == {"save": ""}
    assert await client.config_get("appendonly") == {"appendonly": "no"}
    assert (await client.config_get("requirepass"))["requirepass"] == password

    await client.aclose()
    await end(process, signal.SIGTERM, 5)
