"""A run of workloads, its report as JSON, and its tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.diagnostics.checks.table import bar
from benchmarks.performance.resources import describe_machine
from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.measurement import Finding, measure
from benchmarks.performance.throughput.workloads import WORKLOADS
from sql_env.errors import DataError
from sql_env.plugins import suggest

_PER_SCORE = {"cpu_s": "CPU ms/score", "wall_s": "scores/s"}
"""The columns that replace a time if the number of scores is known."""


def run_workloads(names: Sequence[str] | None, settings: Settings) -> dict[str, Any]:
    """Measure workloads one after another, all of them by default, and return the report for JSON.

    A workload without its data is skipped; the report has the reason.

    Raises:
        DataError: There is no workload with such a name.
    """
    for name in names or ():
        if name not in WORKLOADS:
            raise DataError(f"no workload is called {name!r}.{suggest(name, list(WORKLOADS))}")
    measured, skipped, findings = {}, {}, list[Finding]()
    for name in names or WORKLOADS:
        try:
            workload = WORKLOADS[name](settings)
        except DataError as error:
            skipped[name] = str(error)
            continue
        repeats = workload.repeats or settings.repeats
        with bar(name, repeats * len(workload.contenders)) as advance:
            random = settings.random(f"order of {name}")
            measurement = measure(workload.contenders, repeats, random, advance)
        findings += workload.findings(measurement)
        measured[name] = {
            "about": workload.about,
            "facts": dict(workload.facts),
            "rows": measurement.summary(),
            "repeats": [dict(repeat) for repeat in measurement.repeats],
        }
    return {
        "machine": describe_machine(),
        "settings": {"repeats": settings.repeats, "seed": settings.seed, "scale": settings.scale},
        "bars": [
            {
                "name": f.name,
                "value": f.value,
                "bar": f.bar,
                "sense": "<=" if f.least is None else ">=",
                "ok": f.ok,
            }
            for f in findings
            if f.bar is not None
        ],
        "ratios": {finding.name: finding.value for finding in findings if finding.bar is None},
        "workloads": measured,
        "skipped": skipped,
    }


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print the rows of every workload, then the findings and the bars."""
    for name, measured in report["workloads"].items():
        facts = ", ".join(f"{value:,} {fact.replace('_', ' ')}" for fact, value in measured["facts"].items())
        console.print(f"{name}: {measured['about']}", facts, sep="\n", markup=False)
        console.print(_rows(measured["rows"], measured["facts"].get("scores")))
    for name, value in report["ratios"].items():
        console.print(f"{name}: {_number(value)}", markup=False)
    for name, reason in report["skipped"].items():
        console.print(f"{name} is skipped: {reason}", markup=False)
    table = Table("what", "value", "bar", "", title="bars", title_justify="left")
    for found in report["bars"]:
        verdict = "[green]met[/]" if found["ok"] else "[red]missed[/]"
        limit = f"{found['sense']} {_number(found['bar'])}"
        table.add_row(escape(found["name"]), _number(found["value"]), limit, verdict)
    if table.row_count:
        console.print(table)


def _rows(rows: Mapping[str, Mapping[str, Any]], scores: int | None) -> Table:
    table = Table("")
    figures = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    for figure in figures:
        heading = _PER_SCORE.get(figure, figure) if scores else figure
        table.add_column(heading, justify="right", no_wrap=True)
    for row, spreads in rows.items():
        table.add_row(row, *(_cell(figure, spreads.get(figure), scores) for figure in figures))
    return table


def _cell(figure: str, spread: Mapping[str, float] | None, scores: int | None) -> str:
    """Return the median with the minimum and the maximum."""
    if spread is None:
        return ""
    low, middle, high = (spread[name] for name in ("min", "median", "max"))
    if scores and figure == "cpu_s":
        low, middle, high = (1000 * value / scores for value in (low, middle, high))
    if scores and figure == "wall_s":
        low, middle, high = scores / high, scores / middle, scores / low
    return f"{_number(middle)} ({_number(low)}-{_number(high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
