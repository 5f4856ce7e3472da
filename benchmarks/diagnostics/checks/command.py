"""``sql-env check``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from sql_env.benchmark import load_benchmark


def check(
    benchmark: Annotated[str, typer.Option(help="An installed benchmark.")],
    split: Annotated[
        str | None, typer.Option(help="Its split; by default the benchmark's own default split.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with its files.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of the loader, NAME=VALUE.")
    ] = None,
    comparison: Annotated[
        str | None, typer.Option(help="The comparison to use instead of the tasks' own.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run queries.")] = 1,
    backend: Annotated[
        str, typer.Option(help="Where queries run: local, ray, or auto (ray in the driver of a Ray job).")
    ] = "auto",
    largest: Annotated[int, typer.Option(min=0, help="Size in MiB of the largest database to copy.")] = 256,
    show: Annotated[int, typer.Option(min=0, help="Examples to print for each code.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Write one JSON line for each finding here.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if there is any finding.")] = False,
) -> None:
    """Check the gold queries of a benchmark: do they run, and what do their results depend on?"""
    from benchmarks.diagnostics.checks.checker import check_tasks
    from benchmarks.diagnostics.terminal import print_checks, progress_bar
    from benchmarks.records.finding import write_findings
    from sql_env.benchmark import parse_parameters

    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # print_checks lists what is left out
    loaded = load_benchmark(benchmark, split, data_dir, **parse_parameters(param))
    with progress_bar("checking", len(loaded.tasks)) as advance:
        summary = check_tasks(
            loaded.tasks,
            workers=workers,
            backend=backend,
            comparison=comparison,
            largest=largest << 20,
            progress=advance,
        )
    if out is not None:
        write_findings(out, summary.findings)
    print_checks(loaded, summary, show)
    raise typer.Exit(int(strict and bool(summary.findings)))
