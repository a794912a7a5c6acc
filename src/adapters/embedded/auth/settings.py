"""Settings of the stand-in: where it listens, where it keeps its tables, and whose keys it accepts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from adapters.settings import SettingsInvalid

PREFIX = "AFTERSCHOOL_"
NAMES = {
    "database_url": "DATABASE_URL",
    "url": "SUPABASE_URL",
    "publishable_key": "SUPABASE_PUBLISHABLE_KEY",
    "secret_key": "SUPABASE_SECRET_KEY",
    "key_file": "AUTH_KEY_FILE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInSettings:
    """What the stand-in needs; its address must be plain http on loopback."""

    database_url: str = field(repr=False)
    url: str
    """Base address without `/auth/v1`: `http://127.0.0.1:<port>`."""
    publishable_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    key_file: Path
    sign_up: bool = False
    """Whether anyone may open an account without us; off, so that every account has its user."""
    lock_wait: float = 2.0
    """Seconds that a refresh waits for another one of its session before it is a conflict."""
    reuse_seconds: float = 10.0
    """Seconds for which the parent of the active refresh token may come again."""
    password_queue: int = 256
    """Passwords that may wait for a processor before more are told to come back later."""

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise SettingsInvalid(f"{PREFIX}SUPABASE_URL: the stand-in listens on loopback only, as http://127.0.0.1:…")

    @property
    def host(self) -> str:
        """Address to listen on."""
        parts = urlsplit(self.url)
        return parts.hostname or "" if parts.scheme == "http" else ""

    @property
    def port(self) -> int:
        """Port to listen on."""
        return urlsplit(self.url).port or 80

    @property
    def base(self) -> str:
        """Address of the contract's root, which is also the issuer of tokens."""
        return f"{self.url.rstrip('/')}/auth/v1"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach that host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load_stand_in_settings(environment: Mapping[str, str] = os.environ) -> StandInSettings:
    """Read the settings; raises `SettingsInvalid` naming every one that is missing."""
    found = {name: _read(environment, f"{PREFIX}{key}") for name, key in NAMES.items()}
    if missing := [f"{PREFIX}{key} is not set" for name, key in NAMES.items() if not found[name]]:
        raise SettingsInvalid("\n".join(missing))
    return StandInSettings(
        database_url=found["database_url"],
        url=found["url"],
        publishable_key=found["publishable_key"],
        secret_key=found["secret_key"],
        key_file=Path(found["key_file"]),
    )


def _read(environment: Mapping[str, str], key: str) -> str:
    """Return the value, or what the file named by `<key>_FILE` holds."""
    if file := environment.get(f"{key}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return environment.get(key, "")
