"""Measure scoring speed: ``python -m benchmarks.performance.throughput --help``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from benchmarks.performance.settings import (
    DataDir,
    JsonFile,
    Repeats,
    Seed,
    Settings,
    exit_on_error,
    write_json,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    workload: Annotated[
        list[str] | None, typer.Option(help="A workload to measure. Repeat it for several; all by default.")
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
        from benchmarks.performance.throughput.report import print_report, run_workloads

        report = run_workloads(workload, Settings(repeats, seed, data_dir, scale))
        print_report(report, Console(highlight=False))
        write_json(json_file, report)
    raise typer.Exit(1 if check and not all(bar["ok"] for bar in report["bars"]) else 0)


if __name__ == "__main__":
    app()
