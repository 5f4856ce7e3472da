"""``sql-env overlap``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from sql_env.benchmark import load_benchmark

Params = Annotated[list[str] | None, typer.Option(help="A further argument of the loader, NAME=VALUE.")]


def overlap(
    train: Annotated[str, typer.Option(help="The benchmark of the training set.")],
    test: Annotated[str, typer.Option(help="The benchmark of the test set.")],
    train_split: Annotated[str, typer.Option(help="The split of the training set.")] = "train",
    test_split: Annotated[
        str | None, typer.Option(help="The split of the test set; by default the benchmark's own default.")
    ] = None,
    train_data_dir: Annotated[
        str | None, typer.Option(help="The folder with the files of the training set.")
    ] = None,
    test_data_dir: Annotated[
        str | None, typer.Option(help="The folder with the files of the test set.")
    ] = None,
    train_param: Params = None,
    test_param: Params = None,
    near: Annotated[
        float, typer.Option(min=0.3, max=1.0, help="Jaccard similarity of near-duplicate questions.")
    ] = 0.7,
    top: Annotated[int, typer.Option(min=0, help="Nearest training tasks that --out keeps.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Processes that parse queries.")] = 1,
    show: Annotated[int, typer.Option(min=0, help="Examples to print, nearest first.")] = 5,
    out: Annotated[Path | None, typer.Option(help="Write one JSON line for each test task here.")] = None,
) -> None:
    """Show what a test set shares with a training set: databases, questions and SQL."""
    from benchmarks.diagnostics.overlap.compare import compare_tasks
    from benchmarks.diagnostics.overlap.results import write_overlap
    from benchmarks.diagnostics.terminal import print_overlap, progress_bar
    from sql_env.benchmark import parse_parameters

    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    left = load_benchmark(train, train_split, train_data_dir, **parse_parameters(train_param)).tasks
    right = load_benchmark(test, test_split, test_data_dir, **parse_parameters(test_param)).tasks
    with progress_bar("comparing", len(left)) as advance:
        found = compare_tasks(left, right, near=near, top=top, workers=workers, progress=advance)
    if out is not None:
        write_overlap(out, found)
    print_overlap(found, show if top else 0)
