"""``sql-env check``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from sql_env.benchmark import load_benchmark


def check(
    benchmark: Annotated[str, typer.Option(help="An installed benchmark.")],
    split: Annotated[str | None, typer.Option(help="Its split; the benchmark's own default.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with its files.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of the loader, NAME=VALUE.")
    ] = None,
    comparison: Annotated[str | None, typer.Option(help="Semantics in place of the tasks' own.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run queries.")] = 1,
    backend: Annotated[
        str, typer.Option(help="Where they run: local, ray, or auto: ray in the driver of a Ray job.")
    ] = "auto",
    largest: Annotated[int, typer.Option(min=0, help="MiB of the largest database that is copied.")] = 256,
    show: Annotated[int, typer.Option(min=0, help="Examples that are printed of each code.")] = 3,
    out: Annotated[Path | None, typer.Option(help="File for a JSON line of each finding.")] = None,
    strict: Annotated[bool, typer.Option(help="End with 1 where anything is found.")] = False,
) -> None:
    """Check a benchmark's gold queries: whether they run, and what else their results hang on."""
    from benchmarks.diagnostics.checks.health import health
    from benchmarks.diagnostics.checks.table import bar, print_health
    from benchmarks.loading.parameters import parse_parameters
    from benchmarks.records.finding import write_findings

    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what is left out is printed below
    loaded = load_benchmark(benchmark, split, data_dir, **parse_parameters(param))
    with bar("checking", len(loaded.tasks)) as advance:
        found = health(
            loaded.tasks,
            workers=workers,
            backend=backend,
            comparison=comparison,
            largest=largest << 20,
            progress=advance,
        )
    if out is not None:
        write_findings(out, found.findings)
    print_health(loaded, found, show)
    raise typer.Exit(int(strict and bool(found.findings)))
