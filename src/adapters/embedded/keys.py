"""Keys of one machine: made at the first start, in files for their owner's eyes only, never made anew over data."""

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

from adapters.embedded.auth.key_file import load_keys
from adapters.embedded.durable import write_secret
from adapters.embedded.process import DidNotStart

AUTH_KEY = "auth_key"
"""The stand-in's own file, which it makes itself."""


def _key_set() -> str:
    return json.dumps({"1": b64encode(secrets.token_bytes(32)).decode()})


_MAKERS: Mapping[str, Callable[[], str]] = {
    "master_keys": _key_set,
    "fingerprint_keys": _key_set,
    "supabase_publishable_key": lambda: f"sb_publishable_{secrets.token_urlsafe(24)}",
    "supabase_secret_key": lambda: f"sb_secret_{secrets.token_urlsafe(32)}",
}


def ensure_keys(directory: Path, *, data_exists: bool) -> dict[str, Path]:
    """Return the file of each key by the name of its setting, making those that are missing.

    Beside existing data a missing key is refused with `DidNotStart`: what was sealed under it could never be read.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = {name: directory / name for name in (*_MAKERS, AUTH_KEY)}
    missing = [file for file in keys.values() if not file.exists()]
    if missing and data_exists:
        raise DidNotStart(f"{missing[0]} is missing: bring it back from a backup, for the data was sealed with it.")
    for file in missing:
        if file.name == AUTH_KEY:
            load_keys(file)
        else:
            write_secret(file, _MAKERS[file.name]())
    return keys
