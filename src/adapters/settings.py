"""Settings: everything an operator may set, from the environment, checked as a whole at start."""

import json
import os
import shlex
from base64 import b64decode
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "AFTERSCHOOL_"
OF_ONE_MACHINE = frozenset({f"{PREFIX}DATA_DIR", f"{PREFIX}AUTH_KEY_FILE"})
"""Names that belong to `afterschool up` and its stand-in rather than to the settings of a process."""
_NOT_EVERYBODY = "must name proxies, not everybody: anyone could claim any address"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsInvalid(Exception):
    """Some settings are missing or unsafe; the message lists every one of them."""


def _keys(secret: SecretStr) -> SecretStr:
    """Refuse a key set that is not `{"<version>": "<base64 of 32 bytes>"}`."""
    keys = json.loads(secret.get_secret_value())
    if not isinstance(keys, dict) or not keys:
        raise ValueError("must be a JSON object of version to key, with at least one key")
    for version, key in keys.items():
        is_key = isinstance(key, str) and len(b64decode(key, validate=True)) == 32  # noqa: PLR2004  AES-256, HMAC-SHA-256
        if not version.isdigit() or not is_key:
            raise ValueError("every version must be a number and every key 32 bytes in base64")
    return secret


def _broker(secret: SecretStr) -> SecretStr:
    """Refuse what is no address of an AMQP server."""
    if not secret.get_secret_value().startswith(("amqp://", "amqps://")):
        raise ValueError("must begin with amqp:// or amqps://")
    return secret


def _file(path: str) -> str:
    """Refuse the name of a file that is not there."""
    if path and not Path(path).is_file():
        raise ValueError("there is no such file")
    return path


def _networks(raw: object) -> object:
    """Read a JSON list of networks; refuse one that holds everybody, which would believe anyone's word."""
    listed = json.loads(raw) if isinstance(raw, str) and raw != "*" else raw
    if not isinstance(listed, list | tuple):
        listed = [listed]
    networks = tuple(map(_network, listed))
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError(_NOT_EVERYBODY)
    return networks


def _network(text: object) -> IPv4Network | IPv6Network:
    if text == "*":
        raise ValueError(_NOT_EVERYBODY)
    try:
        return ip_network(str(text))
    except ValueError:
        raise ValueError("must be a JSON list of addresses or networks, as 10.0.0.7 or 10.0.0.0/24") from None


Broker = Annotated[SecretStr, AfterValidator(_broker)]
File = Annotated[str, AfterValidator(_file)]
KeySet = Annotated[SecretStr, AfterValidator(_keys)]
Proxies = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
Limit = Annotated[int, Field(ge=1, le=60_000_000)]
Origins = Annotated[tuple[str, ...], BeforeValidator(lambda raw: json.loads(raw) if isinstance(raw, str) else raw)]


class Settings(BaseSettings):
    """What one process needs to know about its machine; secrets may also come as `<NAME>_FILE`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX)

    database_url: SecretStr
    """Postgres 15 or newer: `postgresql://user:password@host:port/database`."""
    redis_url: SecretStr
    """Redis 7 or Valkey: `redis://…`, `rediss://…` or `unix://…`."""
    rabbitmq_url: Broker | None = None
    """RabbitMQ 3.10 or newer between relay and projectors: `amqp://…` or `amqps://…` (TLS); else projectors tail."""
    rabbitmq_ca_file: File = ""
    """Certificates that the broker's is checked against; empty means those the system trusts."""
    broker_queues: int = Field(default=4, ge=1, le=64)
    """Queues that share the 64 parts of the log, and so projectors that can work at the same time."""
    audit_seconds: float = Field(default=3600.0, ge=0)
    """Seconds between two audits of the read models by each projector; 0 turns them off."""
    supabase_url: str
    """Base address of Supabase (or of the stand-in), without `/auth/v1`."""
    supabase_publishable_key: SecretStr
    supabase_secret_key: SecretStr
    jwt_audience: str = "authenticated"
    jwt_issuer: str = ""
    """Issuer that access tokens must name; empty means `<supabase_url>/auth/v1`."""
    master_keys: KeySet
    """JSON object of version to base64 key: each person's key is wrapped under the highest version."""
    fingerprint_keys: KeySet
    """JSON object of version to base64 key for the HMACs of command bodies and e-mails."""
    erasure_ledger: str = ""
    """File that keeps who was erased, away from the database and its backups; needed by `afterschool housekeep`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the Prometheus listener, on loopback unless `metrics_host` says otherwise; 0 turns it off."""
    metrics_host: str = "127.0.0.1"
    debug: bool = False
    docs: bool = True
    cors_origins: Origins = ()
    """Origins a browser may call from, as a JSON list."""
    trusted_proxies: Proxies = ()
    """Networks of the proxies whose `X-Forwarded-For` is believed, as a JSON list."""
    rate_limit: Limit = 6000
    """Requests a minute from one IPv4 address or IPv6 /64 network."""
    rate_limit_burst: Limit = 1000
    """How many of them may come at once."""
    login_limit: Limit = 300
    """Tries to sign in a minute from one address."""
    login_limit_of_account: Limit = 10
    """Tries to sign in a minute to one account."""
    pairing_limit: Limit = 10
    """Tries an hour with pairing codes by one account."""
    api_processes: int = Field(default=1, ge=1, le=1000)
    """API processes that share the load: each lets through its part of the limits while Redis is away."""
    max_body_bytes: int = Field(default=262_144, ge=1024, le=16_777_216)
    max_header_bytes: int = Field(default=16_384, ge=1024, le=65_536)
    header_seconds: float = Field(default=10.0, gt=0, le=60)
    body_seconds: float = Field(default=15.0, gt=0, le=120)
    live_streams: int = Field(default=1000, ge=0, le=4000)
    """Live streams that one process holds open before a new one is answered 503; each has a socket."""
    live_streams_of_account: int = Field(default=10, ge=1)
    """Live streams that one account holds open at one process before a new one is answered 429."""
    append_queue: int = Field(default=10_000, ge=1)
    """Commands that may wait for the appender before new ones are answered 503."""

    @property
    def issuer(self) -> str:
        """Issuer that access tokens must name."""
        return self.jwt_issuer or f"{self.supabase_url.rstrip('/')}/auth/v1"

    @model_validator(mode="after")
    def _debug_stays_at_home(self) -> Self:
        if self.debug and self.host not in _LOOPBACK:
            raise ValueError(f"{PREFIX}DEBUG is on while {PREFIX}HOST is a public address")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is passed and nothing else: only `load_settings` looks at the environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


class _Environment(PydanticBaseSettingsSource):
    """Reads `AFTERSCHOOL_<NAME>`, or the file that `AFTERSCHOOL_<NAME>_FILE` names, and keeps account of problems."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.problems: list[str] = []
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        del field
        key = f"{PREFIX}{field_name.upper()}"
        value, file = self._environment.get(key), self._environment.get(f"{key}_FILE")
        if value is not None and file:
            self.problems.append(f"{key} and {key}_FILE are both set; keep one")
        elif file:
            try:
                value = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                self.problems.append(f"{key}_FILE cannot be read: {reason}")
        return value, field_name, False

    def __call__(self) -> dict[str, object]:
        """Collect the values that are set; names with our prefix that mean nothing are problems too."""
        known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
        known += [f"{key}_FILE" for key in known]
        for key in sorted(self._environment):
            if key.startswith(PREFIX) and key not in OF_ONE_MACHINE and key not in known:
                close = get_close_matches(key, known, n=1)
                self.problems.append(f"{key} is not a setting" + (f"; did you mean {close[0]}?" if close else ""))
        read = {name: self.get_field_value(field, name)[0] for name, field in Settings.model_fields.items()}
        return {name: value for name, value in read.items() if value is not None}


def on_this_machine(url: str) -> bool:
    """Tell whether an address is this machine's own, which no proxy must be asked for."""
    return urlsplit(url).hostname in _LOOPBACK


def data_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the one-machine system keeps everything: `AFTERSCHOOL_DATA_DIR`, else `./.afterschool`."""
    return Path(environment.get(f"{PREFIX}DATA_DIR") or ".afterschool")


def read_environment_file(file: Path) -> dict[str, str]:
    """Read `KEY=VALUE` lines as a shell would; a missing file is empty."""
    if not file.exists():
        return {}
    lines = shlex.split(file.read_text(encoding="utf-8"), comments=True)
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_environment_file(file: Path, values: Mapping[str, str]) -> None:
    """Write `KEY=VALUE` lines that a shell can source, for the eyes of their owner only, in one step."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text("".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items()), encoding="utf-8")
    part.replace(file)


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings, or raise `SettingsInvalid` naming everything that is wrong, without any value.

    Where the environment names no database, the system that `afterschool up` runs on this machine fills the gaps.
    """
    if not environment.keys() & {f"{PREFIX}DATABASE_URL", f"{PREFIX}DATABASE_URL_FILE"}:
        environment = read_environment_file(data_directory(environment) / "environment") | dict(environment)
    source = _Environment(environment)
    if not any(key.startswith(PREFIX) and key not in OF_ONE_MACHINE for key in environment):
        nothing = f"No system was started in {data_directory(environment)}"
        source.problems.append(f"{nothing}: start one with `afterschool up`, or name another with {PREFIX}DATA_DIR")
    values = source()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsInvalid("\n".join([*source.problems, *map(_problem, error.errors())])) from None
    if source.problems:
        raise SettingsInvalid("\n".join(source.problems))
    return settings


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message
