"""The contenders of a batch: the full path, the engine alone, the floor, and plain code."""

from __future__ import annotations

from benchmarks.performance.throughput.c_api import sqlite3_exec
from benchmarks.performance.throughput.engine import engine
from benchmarks.performance.throughput.floor import floor
from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.plain import plain
from benchmarks.performance.throughput.scorers import scorer
from benchmarks.performance.throughput.stints import stints
from benchmarks.performance.throughput.workload import Finding

WORKERS = (1, 2)
"""Numbers of workers that are measured. The bars are held against the last."""


def contest(items: Items) -> dict[str, Contender]:
    """Who scores a batch, by name: all there are, each with cold golds and once more with cached ones."""
    planned = stints(items)
    found = {f"scorer-{workers}": scorer(items, workers) for workers in WORKERS}
    found |= {"engine": engine(items), "floor": floor(planned, items.limits), "plain": plain(items)}
    if (bare := sqlite3_exec(planned)) is not None:
        found["sqlite3_exec"] = bare
    return found


def short_contest(items: Items, yardstick: bool = False) -> dict[str, Contender]:
    """The full path and the floor with cold golds alone, and plain code where it is the ``yardstick``."""
    found = {f"scorer-{workers}": scorer(items, workers, cached=False) for workers in WORKERS}
    found["floor"] = floor(stints(items), items.limits, cached=False)
    return found | {"plain": plain(items)} if yardstick else found


def efficiency(name: str, golds: str, least: float) -> list[Finding]:
    """The floor's CPU over that of the full path, for each number of workers.

    Args:
        name: What the workload is called in the finding.
        golds: ``cold`` or ``cached``.
        least: The bar for two workers.
    """

    def of(row: str, bar: float | None = None) -> Finding:
        return Finding(
            f"efficiency, {name}, golds {golds}, {row}",
            lambda seen: seen.ratio(f"floor {golds}", f"{row} {golds}", "cpu_s"),
            least=bar,
        )

    return [of("scorer-2", least), of("scorer-1")]


def engine_alone(name: str) -> Finding:
    """The efficiency of the library's parts in a simple loop without processes, golds cold."""
    return Finding(
        f"efficiency, {name}, golds cold, engine in this process",
        lambda seen: seen.ratio("floor cold", "engine cold", "cpu_s"),
    )


def against_plain(name: str, figure: str, least: float | None, workers: int = 2) -> Finding:
    """How many times the CPU or wall time of the full path plain code takes, golds cold."""
    what = {"cpu_s": "less CPU", "wall_s": "faster"}[figure]
    row = f"scorer-{workers} cold"
    return Finding(
        f"times {what} than plain code, {name}, {workers} worker{'s' * (workers > 1)}",
        lambda seen: seen.ratio("plain", row, figure),
        least=least,
    )
