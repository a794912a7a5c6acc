"""Settings: everything an operator may set, from the environment, checked as a whole at start."""

import json
import os
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "AFTERSCHOOL_"


class SettingsInvalid(Exception):
    """Some settings are missing or unsafe; the message lists every one of them."""


def _keys(secret: SecretStr) -> SecretStr:
    """Refuse a key set that is not `{"<version>": "<base64 of 32 bytes>"}`."""
    keys = json.loads(secret.get_secret_value())
    if not isinstance(keys, dict) or not keys:
        raise ValueError("must be a JSON object of version to key, with at least one key")
    for version, key in keys.items():
        if not version.isdigit() or len(b64decode(key, validate=True)) != 32:  # noqa: PLR2004  AES-256 and HMAC-SHA-256
            raise ValueError("every version must be a number and every key 32 bytes in base64")
    return secret


KeySet = Annotated[SecretStr, AfterValidator(_keys)]


class Settings(BaseModel):
    """What one process needs to know about its machine; secrets may also come as `<NAME>_FILE`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr
    """Postgres 15 or newer: `postgresql://user:password@host:port/database`."""
    redis_url: SecretStr
    """Redis 7 or Valkey: `redis://…`, `rediss://…` or `unix://…`."""
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
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of the Prometheus listener, on loopback unless `metrics_host` says otherwise; 0 turns it off."""
    metrics_host: str = "127.0.0.1"
    debug: bool = False
    docs: bool = True
    cors_origins: tuple[str, ...] = ()
    """Origins a browser may call from, as a JSON list."""
    max_body_bytes: int = Field(default=262_144, ge=1024, le=16_777_216)
    max_header_bytes: int = Field(default=16_384, ge=1024, le=65_536)
    header_seconds: float = Field(default=10.0, gt=0, le=60)
    body_seconds: float = Field(default=15.0, gt=0, le=120)
    append_queue: int = Field(default=10_000, ge=1)
    """Commands that may wait for the appender before new ones are answered 503."""

    @property
    def issuer(self) -> str:
        """Issuer that access tokens must name."""
        return self.jwt_issuer or f"{self.supabase_url.rstrip('/')}/auth/v1"


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings, or raise `SettingsInvalid` naming everything that is wrong, without any value."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for name, field in Settings.model_fields.items():
        key = f"{PREFIX}{name.upper()}"
        if file := environment.get(f"{key}_FILE"):
            try:
                values[name] = Path(file).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{key}_FILE cannot be read: {error.strerror}")
        elif key in environment:
            raw = environment[key]
            values[name] = raw if field.annotation != tuple[str, ...] else json.loads(raw)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
        raise SettingsInvalid("\n".join(problems)) from None
    if settings.debug and settings.host not in {"127.0.0.1", "::1", "localhost"}:
        problems.append(f"{PREFIX}DEBUG is on while {PREFIX}HOST is a public address")
    if problems:
        raise SettingsInvalid("\n".join(problems))
    return settings
