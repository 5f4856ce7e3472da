"""How many steps correct answers need: ``python -m benchmarks.performance.steps --help``."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.diagnostics.terminal import progress_bar
from benchmarks.loading.parameters import parameters
from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.steps.figure import save
from benchmarks.performance.steps.mix import SIZE, mix
from benchmarks.performance.steps.report import as_dict, study, tables
from benchmarks.performance.steps.spent import Spent, spent
from sql_env.benchmark import load_benchmark
from sql_env.errors import DataError, SQLEnvError
from sql_env.types import Task

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK:SPLIT [FILE...] ...",
            help="Benchmarks, each followed by files of predictions. Gold queries are measured anyway.",
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of all loaders, NAME=VALUE.")
    ] = None,
    cap: Annotated[
        int, typer.Option(min=1, help="What a budget relative to the gold's steps never exceeds.")
    ] = 200_000_000,
    margin: Annotated[
        float, typer.Option(min=1, help="How many times its steps every correct answer should have.")
    ] = 10.0,
    size: Annotated[int, typer.Option(min=1, help="Completions of the hostile mix.")] = SIZE,
    seed: Annotated[int, typer.Option(help="Of what is drawn for it.")] = 0,
    out: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    figure: Annotated[Path | None, typer.Option(help="File for a drawing: .svg, .png or .pdf.")] = None,
) -> None:
    """Measure what step budgets cost and save: answers and gold queries lost, and a hostile batch's time."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    console = Console(highlight=False)
    try:
        if figure is not None and find_spec("matplotlib") is None:
            raise DataError("matplotlib is missing: pip install 'sql-env[bench]'")
        golds: dict[str, list[Spent]] = {}
        answers: dict[str, list[Spent]] = {}
        drawn: list[tuple[Task, Sequence[str]]] = []
        for name, files in grouped(what):
            benchmark = load_benchmark(*split_of(name), **parameters(param))
            with progress_bar(name, len(benchmark.tasks) * (1 + len(files))) as advance:
                golds[name], answers[name] = spent(benchmark, files, progress=advance)
            texts = [read_predictions(file, benchmark) for file in files]
            drawn += zip(benchmark.tasks, zip(*texts, strict=True), strict=False)
        steps = {gold.task_id: gold.steps for some in golds.values() for gold in some}
        with progress_bar("hostile mix", size) as advance:
            loads = mix(drawn, steps, size=size, seed=seed, progress=advance)
        found = study(golds, answers, loads, cap, margin)
        if out is not None:
            write(out, json.dumps(as_dict(found), indent=1) + "\n")
        if figure is not None:
            save(found, figure)
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    for part in tables(found):
        console.print(part, soft_wrap=isinstance(part, str))


def grouped(words: Sequence[str]) -> list[tuple[str, list[Path]]]:
    """Benchmarks as ``name:split``, each with the files that follow it.

    Raises:
        DataError: The first is a file, or one comes twice.

    Example:
        >>> [(name, len(files)) for name, files in grouped(["spider:dev", "a.txt", "b.txt", "bird:dev"])]
        [('spider:dev', 2), ('bird:dev', 0)]
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        if ":" in word and not Path(word).exists():
            if word in found:
                raise DataError(f"{word} comes twice: name its files after it at once")
            found[word] = []
        elif not found:
            raise DataError(f"{word!r} comes before any benchmark: name one first, such as spider:dev")
        else:
            found[next(reversed(found))].append(Path(word))
    return list(found.items())


def split_of(name: str) -> tuple[str, str | None]:
    """The benchmark and the split that ``name:split`` names."""
    benchmark, _, split = name.rpartition(":")
    return benchmark, split or None


def write(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        DataError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error}") from None


if __name__ == "__main__":
    app()
