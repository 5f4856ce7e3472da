"""Score a file of predictions: ``python -m benchmarks.evaluate --help``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.predictions import digest, read_predictions
from benchmarks.report import items, show, summary, write
from sql_env.benchmark import load_benchmark
from sql_env.errors import SQLEnvError
from sql_env.limits import Limits
from sql_env.scorer import Scorer
from sql_env.types import Benchmark, Score

RUBRIC = {"rewards": ["result"], "response_format": "sql"}
"""A prediction is bare SQL, and only its result counts."""

CHUNK = 128
"""Predictions that are scored between two movements of the progress bar."""


def evaluate(
    benchmark: Benchmark,
    predictions: Sequence[str],
    *,
    comparison: str | None = None,
    limits: Limits | None = None,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> list[Score]:
    """Score one prediction for each task of a benchmark.

    Args:
        benchmark: What is measured.
        predictions: Bare SQL, one for each task, as `read_predictions` returns them.
        comparison: Semantics that replace the tasks' own.
        limits: What each query may cost.
        workers: How many processes run queries; the scores do not depend on it.
        progress: Told how many more are scored, now and then.

    Returns:
        A score for each task, in order.

    Raises:
        ValueError: There are more or fewer predictions than tasks.
        ComparisonError: No comparison has this name.

    Example:
        >>> from benchmarks.demo import demo
        >>> test = demo(split="test")
        >>> scores = evaluate(test, [task.gold_sql for task in test.tasks])
        >>> all(score.rollout.correct for score in scores)
        True
    """
    if len(predictions) != len(benchmark.tasks):
        raise ValueError(
            f"{len(predictions)} predictions for {len(benchmark.tasks)} tasks: give one for each"
        )
    scores: list[Score] = []
    with Scorer(RUBRIC, limits=limits, workers=workers, comparison=comparison) as scorer:
        for start in range(0, len(predictions), CHUNK):
            chunk = slice(start, start + CHUNK)
            scores += scorer.score(predictions[chunk], benchmark.tasks[chunk])
            if progress is not None:
                progress(min(CHUNK, len(predictions) - start))
    return scores


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    if name in ("name", "split", "data_dir"):
        raise typer.BadParameter(f"{name!r} has an option of its own")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _scored(benchmark: Benchmark, sql: Sequence[str], comparison: str | None, workers: int) -> list[Score]:
    """What `evaluate` returns, with a progress bar on stderr."""
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task("", total=len(sql))
        return evaluate(
            benchmark, sql, comparison=comparison, workers=workers, progress=lambda n: bar.advance(row, n)
        )


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    benchmark: Annotated[str, typer.Option(help="The benchmark's name: spider, bird, jsonl, ...")],
    predictions: Annotated[Path, typer.Option(help="One SQL a line, or JSON as BIRD's.")],
    split: Annotated[str | None, typer.Option(help="The split; the benchmark's own default.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with the benchmark's files.")] = None,
    comparison: Annotated[str | None, typer.Option(help="Semantics in place of the tasks' own.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="A further argument of the loader, NAME=VALUE: path=FILE, database_dir=DIR."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run queries.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Folder for items.jsonl and summary.json.")] = None,
) -> None:
    """Score a file of predictions by execution accuracy."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what is left out is printed below
    params = dict(_param(text) for text in param or ())
    try:
        loaded = load_benchmark(benchmark, split, data_dir, **params)
        sql, source = read_predictions(predictions, loaded), digest(predictions)
        scores = _scored(loaded, sql, comparison, workers)
        if out is not None:
            report = summary(loaded, scores, comparison=comparison, predictions=source)
            write(out, items(loaded, scores), report)
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    show(loaded, scores)


if __name__ == "__main__":
    app()
