"""Logs of one machine: one file a part, a fresh one at each start, the last few kept."""

from pathlib import Path

_KEPT = 5


def fresh_log(directory: Path, name: str) -> Path:
    """Return the path of a log that does not exist yet; the ones before became `<name>.log.1` to `.5`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = directory / f"{name}.log"
    for age in range(_KEPT, 0, -1):
        older = directory / f"{name}.log.{age}"
        newer = directory / f"{name}.log.{age - 1}" if age > 1 else log
        if newer.exists():
            newer.replace(older)
    return log
