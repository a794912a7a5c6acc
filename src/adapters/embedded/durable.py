"""Durable: small secret files that are there, whole, after a power cut."""

import os
from pathlib import Path


def write_secret(file: Path, text: str) -> None:
    """Write or replace a file that only its owner may read; it is on disk when this returns."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(text)
        output.flush()
        os.fsync(handle)
    part.replace(file)
    sync_directory(file.parent)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
