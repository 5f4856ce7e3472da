"""Measure scoring with more tasks and more workers: ``python -m benchmarks.performance.scaling --help``."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.diagnostics.checks.table import bar
from benchmarks.performance.settings import (
    DataDir,
    JsonFile,
    Repeats,
    Seed,
    Settings,
    exit_on_error,
    write_json,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)

Workers = Annotated[list[int], typer.Option(min=1, help="Number of processes. Repeat it for several.")]
Batch = Annotated[list[int], typer.Option(min=1, help="Completions of a step. Repeat it for several.")]


@app.command("long-run")
def measure_long_run(
    job: Annotated[str, typer.Option(help="The job to do for each task: check or score.")] = "check",
    tasks: Annotated[int, typer.Option(min=1, help="Number of tasks.")] = 100_000,
    databases: Annotated[int, typer.Option(min=1, help="Number of generated databases.")] = 1_000,
    workers: Workers = [1, 2],  # noqa: B006 - typer copies it
    backend: Annotated[str, typer.Option(help="Where queries run: local, ray or auto.")] = "ray",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Check or score many generated tasks: the rate, and the memory of the driver process."""
    with exit_on_error("psutil"):
        from benchmarks.performance.resources import describe_machine
        from benchmarks.performance.scaling.long_run import long_run

        table = Table("job", "backend", "workers", "tasks", "s", "tasks/s", "CPU-ms", "MB", "+MB")
        runs = []
        for count in workers:
            with bar(f"{job}, {count} workers", tasks) as advance:
                run = long_run(job, GeneratedTasks(tasks, databases, seed), count, backend, advance)
