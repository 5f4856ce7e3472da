"""``sql-env overlap``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from sql_env.benchmark import load_benchmark

Params = Annotated[list[str] | None, typer.Option(help="A further argument of the loader, NAME=VALUE.")]


def overlap(
    train: Annotated[str, typer.Option(help="The benchmark that is trained on.")],
    test: Annotated[str, typer.Option(help="The benchmark that is measured on.")],
    train_split: Annotated[str, typer.Option(help="The former's split.")] = "train",
    test_split: Annotated[str | None, typer.Option(help="The latter's split; its default.")] = None,
    train_data_dir: Annotated[str | None, typer.Option(help="The folder with the former's files.")] = None,
    test_data_dir: Annotated[str | None, typer.Option(help="The folder with the latter's files.")] = None,
    train_param: Params = None,
    test_param: Params = None,
    near: Annotated[
        float, typer.Option(min=0.3, max=1.0, help="Jaccard similarity of near-duplicate questions.")
    ] = 0.7,
    top: Annotated[int, typer.Option(min=0, help="Nearest training tasks that --out keeps.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Processes that parse queries.")] = 1,
    show: Annotated[int, typer.Option(min=0, help="Examples that are printed, the nearest first.")] = 5,
    out: Annotated[Path | None, typer.Option(help="File for a JSON line of each test task.")] = None,
) -> None:
    """Show what a test set shares with a training set: databases, questions and SQL."""
    from benchmarks.diagnostics.checks.table import bar
    from benchmarks.diagnostics.overlap.compare import overlap as compare
    from benchmarks.diagnostics.overlap.table import print_overlap, write_overlap
    from benchmarks.loading.parameters import parse_parameters

    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    learnt = load_benchmark(train, train_split, train_data_dir, **parse_parameters(train_param))
    asked = load_benchmark(test, test_split, test_data_dir, **parse_parameters(test_param))
    with bar("comparing", len(learnt.tasks)) as advance:
        found = compare(learnt.tasks, asked.tasks, near=near, top=top, workers=workers, progress=advance)
    if out is not None:
        write_overlap(out, found)
    print_overlap(found, show if top else 0)
