"""Measure scoring speed: ``python -m benchmarks.performance.throughput --help``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.diagnostics.terminal import progress_bar
from benchmarks.performance.harness import (
    DataDir,
    JsonFile,
    Repeats,
    Seed,
    Settings,
    describe_machine,
    exit_on_error,
    write_json,
)
from benchmarks.performance.throughput.workloads import (
    Finding,
    Workload,
    hostile,
    large,
    measure,
    memory,
    small,
    spider,
    step,
    threads,
    verdicts,
)
from sql_env.display.terminal import make_console
from sql_env.errors import DataError
from sql_env.plugins import suggest

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WORKLOADS: dict[str, Callable[[Settings], Workload]] = {
    "spider": spider,
    "small": small,
    "large": large,
    "hostile": hostile,
    "threads": threads,
    "step": step,
    "memory": memory,
    "verdicts": verdicts,
}
"""The workloads by name, in the order in which they run."""


@app.command()
def main(
    workload: Annotated[
        list[str] | None,
        typer.Option(help="A workload to measure. Repeat it for several; all by default."),
    ] = None,
    repeats: Repeats = 5,
    seed: Seed = 0,
    data_dir: DataDir = None,
    scale: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the full size, for a quick look.")
    ] = 1.0,
    json_file: JsonFile = None,
    check: Annotated[bool, typer.Option(help="Exit with code 1 if a bar is missed.")] = False,
) -> None:
    """Measure scoring against SQLite's own time and against naive reward code."""
    with exit_on_error("psutil"):
        report = run_workloads(workload, Settings(repeats, seed, data_dir, scale))
        print_report(report, make_console(highlight=False))
        write_json(json_file, report)
    raise typer.Exit(1 if check and not all(finding["ok"] for finding in report["bars"]) else 0)


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
        with progress_bar(name, repeats * len(workload.contenders)) as advance:
            measurement = measure(workload.contenders, repeats, settings.random(f"order of {name}"), advance)
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
        "bars": [{**asdict(finding), "ok": finding.ok} for finding in findings],
        "workloads": measured,
        "skipped": skipped,
    }


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print the figures of every workload, and then the findings with their bars."""
    for name, measured in report["workloads"].items():
        facts = ", ".join(f"{value:,} {fact.replace('_', ' ')}" for fact, value in measured["facts"].items())
        console.print(f"{name}: {measured['about']}", facts, sep="\n", markup=False)
        table = Table("row", "figure", "median", "min", "max")
        for row, figures in measured["rows"].items():
            for figure, spread in figures.items():
                table.add_row(row, figure, *map(_number, spread.values()))
        console.print(table)
    for name, reason in report["skipped"].items():
        console.print(f"{name} is skipped: {reason}", markup=False)
    bars = Table("what", "value", "bar", "", title="bars", title_justify="left")
    for found in report["bars"]:
        bars.add_row(
            escape(found["name"]),
            _number(found["value"]),
            f"{found['sense']} {_number(found['bar'])}",
            "[green]met[/]" if found["ok"] else "[red]missed[/]",
        )
    if bars.row_count:
        console.print(bars)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    app()
