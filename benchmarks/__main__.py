"""`make bench`: measures every figure in turns with its peer, prints a table and writes results/latest.json."""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from pstats import Stats
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import (
    append,
    grading,
    importing,
    look,
    over_http,
    projector,
    projector_broker,
    rebuild,
    relay,
    verify,
    visible,
)
from benchmarks.figure import GOALS, Figure
from benchmarks.machine import Machine, running_machine

RESULTS = Path(__file__).parent / "results" / "latest.json"
PROFILED_SECONDS = 6.0


class Benchmark(NamedTuple):
    """What measures some figures, and what profiles our side of them alone."""

    names: tuple[str, ...]
    measure: Callable[[Machine, float], Awaitable[list[Figure]]]
    profile: Callable[[Machine, float], Awaitable[Stats]]


BENCHMARKS = (
    Benchmark(("append_256_vs_eventsourcing", "append_256_vs_pgbench"), append.measure_256, append.profile_256),
    Benchmark(("append_10_events_vs_1",), append.measure_10_events, append.profile_10_events),
    Benchmark(("post_progress_vs_noop",), over_http.measure_post, over_http.profile_post),
    Benchmark(("get_progress_vs_noop", "get_progress_vs_bare"), over_http.measure_get, over_http.profile_get),
    Benchmark(("look_1_vs_get", "look_32_vs_get"), look.measure, look.profile),
    Benchmark(("visible_p50_ms", "visible_p99_ms"), visible.measure, visible.profile),
    Benchmark(("visible_broker_p50_ms", "visible_broker_p99_ms"), visible.measure_broker, visible.profile_broker),
    Benchmark(("relay_vs_aio_pika",), relay.measure, relay.profile),
    Benchmark(("projector_vs_single",), projector.measure, projector.profile),
    Benchmark(("projector_broker_vs_single",), projector_broker.measure, projector_broker.profile),
    Benchmark(("rebuild_vs_copy",), rebuild.measure, rebuild.profile),
    Benchmark(("verify_events_per_second",), verify.measure, verify.profile),
    Benchmark(("grading",), grading.measure, grading.profile),
    Benchmark(("import_questions",), importing.measure, importing.profile),
)
console = Console()


def main() -> None:
    """Measure what was asked for."""
    chosen = _options()
    if chosen.profile:
        (benchmark,) = (one for one in BENCHMARKS if chosen.profile in one.names)
        asyncio.run(_profile(benchmark)).sort_stats("tottime").print_stats(40)
        return
    began = time.monotonic()
    asked = [one for one in BENCHMARKS if not chosen.only or set(chosen.only) & set(one.names)]
    figures = asyncio.run(_measure(asked, chosen.seconds))
    _write(figures)
    console.print(_table(figures))
    console.print(f"{time.monotonic() - began:.0f} s. Where the time goes: python -m benchmarks --profile NAME")


def _options() -> argparse.Namespace:
    names = [name for benchmark in BENCHMARKS for name in benchmark.names]
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--only", action="append", choices=names, metavar="NAME", help="a figure; may be repeated")
    options.add_argument("--seconds", type=float, default=1.5, help="how long each side's turn takes")
    options.add_argument("--profile", choices=names, metavar="NAME", help="profile our side of one figure instead")
    return options.parse_args()


async def _measure(benchmarks: list[Benchmark], seconds: float) -> list[Figure]:
    figures: list[Figure] = []
    async with running_machine() as machine:
        console.print(f"Postgres {await machine.version()}, fsync on, and Valkey in {machine.directory}")
        for benchmark in benchmarks:
            with console.status(", ".join(benchmark.names)):
                await machine.settle()
                measured = await benchmark.measure(machine, seconds)
                await machine.stop_broker()
            figures += measured
            for figure in measured:
                console.print(f"  {figure.name:<28} {_number(figure.value):>10} {figure.unit}")
    return figures


async def _profile(benchmark: Benchmark) -> Stats:
    async with running_machine() as machine:
        return await benchmark.profile(machine, PROFILED_SECONDS)


def _write(figures: list[Figure]) -> None:
    """Write the figures as JSON; what was not measured this time keeps its last line."""
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for figure in figures:
        found[figure.name] = {
            "value": round(figure.value, 3),
            "unit": figure.unit,
            "against": None if figure.against is None else round(figure.against, 3),
            "ratio": None if figure.ratio is None else round(figure.ratio, 3),
        }
    RESULTS.parent.mkdir(exist_ok=True)
    ordered = {name: found[name] for name in GOALS if name in found}
    RESULTS.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Figures", caption="one machine, everything on it; medians of turns taken in one run")
    for column in ("name", "value", "unit", "against", "ratio", "at least", "aim"):
        number = column not in {"name", "unit", "against"}
        table.add_column(column, justify="right" if number else "left", no_wrap=column != "against")
    for figure in figures:
        goal = GOALS[figure.name]
        sign = "≤ " if goal.less_is_better else ""
        against = figure.peer if figure.against is None else f"{figure.peer}: {_number(figure.against)}"
        colour = "green" if figure.reaches(goal.aim) else "yellow" if figure.reaches(goal.at_least) else "red"
        ratio = "" if figure.ratio is None else f"[{colour}]{figure.ratio:.2f}[/]"
        value = f"[{colour}]{_number(figure.value)}[/]" if figure.ratio is None else _number(figure.value)
        bounds = (f"{sign}{_number(goal.at_least)}", f"{sign}{_number(goal.aim)}")
        table.add_row(figure.name, value, figure.unit, against, ratio, *bounds)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
