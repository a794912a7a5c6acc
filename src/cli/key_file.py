"""Key file: the set of master keys as rotation changes it, always whole, for its owner's eyes only."""

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from os import urandom
from pathlib import Path

from adapters.embedded.durable import write_secret
from adapters.settings import PREFIX, data_directory, read_environment_file

SETTING = f"{PREFIX}MASTER_KEYS"


class KeyFileNotOurs(Exception):
    """The file of master keys belongs to another user; rotate as that user, or the system could not read it again."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file with `{"<version>": "<base64 of 32 bytes>"}`."""

    path: Path

    @classmethod
    def in_force(cls, environment: Mapping[str, str] = os.environ) -> "KeyFile | None":
        """Return the file that the settings name, or None where the environment holds the keys itself.

        Raises `KeyFileNotOurs`.
        """
        if not environment.keys() & {f"{PREFIX}DATABASE_URL", f"{PREFIX}DATABASE_URL_FILE"}:  # as `load_settings` does
            environment = read_environment_file(data_directory(environment) / "environment") | dict(environment)
        named = environment.get(f"{SETTING}_FILE")
        if not named:
            return None
        path = Path(named).resolve()  # a link stays a link when the file behind it is replaced
        if path.stat().st_uid != os.geteuid():
            raise KeyFileNotOurs
        return cls(path)

    def text(self) -> str:
        """Return the key set as it is now."""
        return self.path.read_text(encoding="utf-8").strip()

    def versions(self) -> list[int]:
        """Return the versions, oldest first."""
        return sorted(map(int, self._keys()))

    def add_version(self) -> None:
        """Add a new key as the newest version; it is on disk before anything can be wrapped under it."""
        new = str(self.versions()[-1] + 1)
        write_secret(self.path, json.dumps({**self._keys(), new: b64encode(urandom(32)).decode()}))

    def keep_newest(self) -> list[int]:
        """Destroy every version but the newest and return them."""
        *older, newest = self.versions()
        if older:
            write_secret(self.path, json.dumps({v: key for v, key in self._keys().items() if int(v) == newest}))
        return older

    def _keys(self) -> dict[str, str]:
        keys: dict[str, str] = json.loads(self.text())
        return keys
