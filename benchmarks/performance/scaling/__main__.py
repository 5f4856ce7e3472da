"""Measure how scoring grows with tasks and workers: ``python -m benchmarks.performance.scaling --help``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.diagnostics.terminal import progress_bar
from sql_env.errors import DataError, SQLEnvError
from sql_env.plugins import suggest

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)

Workers = Annotated[list[int], typer.Option(min=1, help="Processes that run SQL; several times for several.")]
Batch = Annotated[list[int], typer.Option(min=1, help="Completions of a step; several times for several.")]
DataDir = Annotated[Path | None, typer.Option(help="The folder of real data; else $SQL_ENV_TEST_DATA.")]
Seed = Annotated[int, typer.Option(help="Draws tasks, databases and completions.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write all figures here.")]


@app.command("flow")
def flow_command(
    job: Annotated[str, typer.Option(help="What is done with each: check or score.")] = "check",
    tasks: Annotated[int, typer.Option(min=1, help="How many tasks.")] = 100_000,
    databases: Annotated[int, typer.Option(min=1, help="Over how many generated databases.")] = 1_000,
    workers: Workers = [1, 2],  # noqa: B006 - typer copies it
    backend: Annotated[str, typer.Option(help="What runs queries: local, ray or auto.")] = "ray",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Do a job over many generated tasks: its rate, and the memory of the process that drives it."""
    with _one_line_errors():
        from benchmarks.performance.scaling.flow import JOBS, Flow, flow
        from benchmarks.performance.scaling.generated import Generated

        if job not in JOBS:
            raise DataError(f"no job is called {job!r}.{suggest(job, list(JOBS))}")
        generated, found = Generated(tasks, databases, seed), list[Flow]()
        for count in workers:
            with progress_bar(f"{job}, {count} workers", tasks) as advance:
                found.append(flow(job, generated, count, backend, advance))
    table = Table("job", "backend", "workers", "tasks", "s", "tasks/s", "CPU-ms", "MB", "+MB")
    for one in found:
        table.add_row(
            one.job,
            one.backend,
            str(one.workers),
            f"{one.tasks:,}",
            f"{one.wall:.1f}",
            f"{one.rate:,.0f}",
            f"{1000 * one.cpu / one.tasks:.2f}",
            f"{max(one.memory):.0f}",
            f"{one.growth:+.1f}",
        )
    _tell(
        table,
        json_file,
        {"flows": [{**asdict(one), "rate": one.rate, "growth": one.growth} for one in found]},
    )


@app.command()
def reward(
    batch: Batch = [512, 4096],  # noqa: B006
    workers: Workers = [1, 2, 4],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    seed: Seed = 0,
    data_dir: DataDir = None,
    json_file: JsonFile = None,
) -> None:
    """Measure how long a trainer waits for its rewards, by the number of reward workers."""
    with _one_line_errors():
        from benchmarks.performance.scaling.reward import spider_or_demo, wait
        from benchmarks.performance.throughput.settings import Settings, data_folder

        settings = Settings(repeats, seed, data_dir or data_folder())
        name, data = spider_or_demo(settings)
        found = [wait(data, count, each, settings) for count in batch for each in workers]
    table = Table("completions", "reward workers", "seconds, median", "least", "most", title=name)
    for one in found:
        numbers = (median(one.seconds), min(one.seconds), max(one.seconds))
        table.add_row(str(one.batch), str(one.workers), *(f"{number:.2f}" for number in numbers))
    _tell(table, json_file, {"data": name, "waits": [asdict(one) for one in found]})


def _tell(table: Table, json_file: Path | None, figures: dict[str, Any]) -> None:
    from benchmarks.performance.throughput.machine import machine

    Console(highlight=False).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """A mistake ends in one line and exit code 2."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what Spider leaves out is no news here
    try:
        if find_spec("psutil") is None:
            raise DataError("psutil is missing: pip install 'sql-env[bench]'")
        yield
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
