"""Process: a child that dies with its parent, and that a restart can find and end if it did not."""

import asyncio
import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from pwd import struct_passwd

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_LOOK_AGAIN = 0.02


class DidNotStart(Exception):
    """A part of the system did not start; the message says which, and where to look."""


async def spawn(
    command: Sequence[str],
    *,
    lock: Path,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    user: struct_passwd | None = None,
    directory: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start a child that gets `stop_signal` when this process dies; its leftover from an earlier run is ended first.

    The child inherits the locked file descriptor of `lock`, which also holds its process id: as long as it or one of
    its own children lives the file stays locked, however this process ends, and no reused process id can mislead.
    Call it from the main thread: Linux ties the death signal to the thread that forked.
    """
    held = await _take_over(lock, stop_signal, 5.0)
    try:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=directory,
                pass_fds=(held,),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops children in order
                preexec_fn=_die_with(os.getpid(), stop_signal),
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )
        os.ftruncate(held, 0)
        os.pwrite(held, str(process.pid).encode(), 0)
    finally:
        os.close(held)
    return process


def hold(lock: Path) -> int | None:
    """Lock a file for this process alone, not for its children, and return its descriptor; None if another holds it."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held


async def end(process: asyncio.subprocess.Process, stop_signal: signal.Signals, seconds: float) -> bool:
    """Ask a child to stop and wait; kill it after that many seconds. True if it went by itself."""
    with suppress(ProcessLookupError):
        process.send_signal(stop_signal)
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False
    return True


def _die_with(parent: int, stop_signal: signal.Signals) -> Callable[[], None]:
    def ask_the_kernel() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask_the_kernel


async def end_leftover(lock: Path, stop_signal: signal.Signals, seconds: float = 5.0) -> None:
    """End the process of an earlier run that still holds this lock, if there is one: killed after that many seconds."""
    os.close(await _take_over(lock, stop_signal, seconds))


async def _take_over(lock: Path, stop_signal: signal.Signals, seconds: float) -> int:
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for request in (None, stop_signal, signal.SIGKILL):
        if request is not None:
            _signal_owner(held, request)
        if await _locked(held, 0.0 if request is None else seconds):
            return held
    os.close(held)
    raise DidNotStart(f"a process of an earlier run still holds {lock} and cannot be ended")


def _signal_owner(held: int, request: signal.Signals) -> None:
    """Signal the child that wrote its id there and all of its group; our children lead a session and a group.

    A group keeps its id reserved while a member lives, so a dead leader's id can't mean a stranger; an id that is in
    use by one who leads no session is a stranger's, and left alone.
    """
    written = os.pread(held, 20, 0)
    if not written.isdigit():
        return
    leader = int(written)
    with suppress(ProcessLookupError):
        if os.getsid(leader) != leader:
            return
    with suppress(ProcessLookupError):
        os.killpg(leader, request)


async def _locked(held: int, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= until:
                return False
            await asyncio.sleep(_LOOK_AGAIN)
        else:
            return True
