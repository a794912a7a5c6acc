"""Replay: plays a learner log through a running system over HTTP and checks every summary against the file.

`python -m benchmarks.replay FILE --url http://127.0.0.1:8000`. Each line is one POST /progress, in file order per
student, students in parallel, as fast as the system answers. Guardians, e-mails, names, passwords and `time_spent` are
invented; `occurred_at` is left out, for the file knows no dates. Every line has an Idempotency-Key: an interrupted
replay goes on with `--run` and its id. Exit code 1 means that a summary is wrong, 2 that the replay did not come to its
end.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.client import Refused
from benchmarks.expected import expected_summaries, mismatches
from benchmarks.pupil import Pupil, pupils_of

SHOWN_FAULTS = 20
Advance = Callable[[str, int], None]
"""Told at each step which phase it belongs to and how many steps that has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay did and found."""

    run: str
    students: int
    commands: int
    seconds: float
    """Of the playing alone, without registering, signing in and checking."""
    commands_per_second: float
    p50_ms: float
    p99_ms: float
    topics_checked: int
    mismatches: list[str]


async def replay(
    file: Path, url: str, *, run: str, concurrency: int, limit: int | None, advance: Advance = lambda *_: None
) -> Replayed:
    """Register, sign in, play and check; raises `Refused`, and `ConnectionError` when the system stays away."""
    pupils = pupils_of(file, url, run, limit)
    commands = sum(len(pupil.reports) for pupil in pupils)
    expected = expected_summaries(file, limit)
    latencies: list[float] = []
    found: list[str] = []

    async def enrol(pupil: Pupil) -> None:
        await pupil.enrol()
        advance("registering", len(pupils))

    def answered(seconds: float) -> None:
        latencies.append(1000 * seconds)
        advance("playing", commands)

    async def check(pupil: Pupil) -> None:
        found.extend(mismatches(expected[pupil.file_id], await pupil.read_summary()))
        advance("checking", len(pupils))

    await _each(pupils, concurrency, enrol)
    began = time.perf_counter()
    await _each(pupils, concurrency, lambda pupil: pupil.play(answered))
    seconds = time.perf_counter() - began
    await _each(pupils, concurrency, check)
    percentiles = quantiles(latencies, n=100)
    return Replayed(
        run=run,
        students=len(pupils),
        commands=commands,
        seconds=round(seconds, 3),
        commands_per_second=round(commands / seconds, 1),
        p50_ms=round(percentiles[49], 3),
        p99_ms=round(percentiles[98], 3),
        topics_checked=sum(map(len, expected.values())),
        mismatches=found,
    )


async def _each(pupils: list[Pupil], concurrency: int, work: Callable[[Pupil], Awaitable[None]]) -> None:
    """Let some pupils at a time do something; the first failure ends it all."""
    waiting = iter(pupils)

    async def take_turns() -> None:
        for pupil in waiting:
            await work(pupil)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(take_turns())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def main() -> int:
    """Replay what the command line asks for, show what was found and return the exit code."""
    options = _options()
    screen = Console(stderr=True)
    screen.print(f"Run {options.run}; if it is interrupted, go on with --run {options.run}", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        phases: dict[str, TaskID] = {}

        def advance(phase: str, total: int) -> None:
            if phase not in phases:
                phases[phase] = progress.add_task(phase, total=total)
            progress.advance(phases[phase])

        how = {"run": options.run, "concurrency": options.concurrency, "limit": options.limit, "advance": advance}
        try:
            replayed = uvloop.run(replay(options.file, options.url, **how))
        except (Refused, OSError, KeyboardInterrupt) as reason:
            screen.print(f"The replay did not come to its end: {reason or 'interrupted'}", style="red")
            return 2
    if options.json:
        print(json.dumps(asdict(replayed)))
    else:
        _show(replayed)
    return 1 if replayed.mismatches else 0


def _options() -> argparse.Namespace:
    words, _, more = (__doc__ or "").partition("\n\n")
    options = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=words, epilog=more)
    options.add_argument("file", type=Path, help="a timed stream, as in ../shared/data")
    options.add_argument("--url", default="http://127.0.0.1:8000", help="address of the system")
    options.add_argument("--concurrency", type=int, default=64, help="students who answer at the same time")
    options.add_argument("--limit", type=int, help="play only the first lines")
    options.add_argument("--run", default=uuid4().hex, help="id of an earlier replay to go on with")
    options.add_argument("--json", action="store_true", help="print the result as JSON")
    return options.parse_args()


def _show(replayed: Replayed) -> None:
    table = Table(title="Replay", show_header=False)
    for name, value in asdict(replayed).items():
        shown = len(value) if isinstance(value, list) else value
        table.add_row(name.replace("_", " "), f"{shown:,}" if isinstance(shown, int | float) else shown)
    console = Console()
    console.print(table)
    for fault in replayed.mismatches[:SHOWN_FAULTS]:
        console.print(fault, style="red")


if __name__ == "__main__":
    sys.exit(main())
