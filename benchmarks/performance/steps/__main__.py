"""Measure the steps that correct answers need: ``python -m benchmarks.performance.steps --help``.

The study compares step limits: the correct answers and gold queries that they stop, and the CPU time of a
batch with hostile queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.diagnostics.terminal import progress_bar
from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.harness import JsonFile, Seed, exit_on_error, write_json
from benchmarks.performance.steps.measure import MeasuredQuery, measure_answers, measure_mix
from benchmarks.performance.steps.report import make_tables, save_figure
from benchmarks.performance.steps.rules import compare_rules
from sql_env import Task, load_benchmark
from sql_env.benchmark import parse_parameters
from sql_env.display.terminal import make_console
from sql_env.errors import DataError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK:SPLIT [FILE...] ...",
            help="Benchmarks, each with its files of predictions. Gold queries are always measured.",
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of all loaders, NAME=VALUE.")
    ] = None,
    cap: Annotated[
        int, typer.Option(min=1, help="Upper bound of a step limit that is relative to the gold query.")
    ] = 200_000_000,
    margin: Annotated[
        float, typer.Option(min=1, help="Factor by which the limit must exceed each correct answer's steps.")
    ] = 10.0,
    size: Annotated[int, typer.Option(min=1, help="Number of completions in the hostile mix.")] = 4_096,
    seed: Seed = 0,
    out: JsonFile = None,
    figure: Annotated[Path | None, typer.Option(help="File for a figure: .svg, .png or .pdf.")] = None,
) -> None:
    """Compare step limits: the correct answers and gold queries they stop, and the time of a hostile mix."""
    with exit_on_error(*(["matplotlib"] if figure else [])):
        measured: dict[str, list[MeasuredQuery]] = {}
        groups: list[tuple[Task, Sequence[str]]] = []
        for name, files in group_arguments(what):
            benchmark_name, _, split = name.rpartition(":")
            benchmark = load_benchmark(benchmark_name, split or None, **parse_parameters(param))
            predictions = {file: read_predictions(file, benchmark) for file in files}
            with progress_bar(name, len(benchmark.tasks) * (1 + len(files))) as advance:
                measured[name] = measure_answers(benchmark, predictions, progress=advance)
            groups += zip(benchmark.tasks, zip(*predictions.values(), strict=True), strict=False)
        gold_steps = {query.task_id: query.gold_steps for queries in measured.values() for query in queries}
        with progress_bar("hostile mix", size) as advance:
            mix = measure_mix(groups, gold_steps, size=size, seed=seed, progress=advance)
        study = compare_rules(measured, mix, cap, margin)
        write_json(out, study)
        if figure is not None:
            save_figure(study, figure)
    for part in make_tables(study):
        make_console(highlight=False).print(part, soft_wrap=isinstance(part, str))


def group_arguments(words: Sequence[str]) -> list[tuple[str, list[Path]]]:
    """Return each ``name:split`` with the files that follow it.

    Raises:
        DataError: The first word is a file, or a benchmark occurs twice.

    Example:
        >>> found = group_arguments(["spider:dev", "a.txt", "b.txt", "bird:dev"])
        >>> [(name, len(files)) for name, files in found]
        [('spider:dev', 2), ('bird:dev', 0)]
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        if ":" in word and not Path(word).exists():
            if word in found:
                raise DataError(f"{word} occurs twice: name it once, with all its files")
            found[word] = []
        elif not found:
            raise DataError(f"{word!r} comes before any benchmark: name one first, such as spider:dev")
        else:
            found[next(reversed(found))].append(Path(word))
    return list(found.items())


if __name__ == "__main__":
    app()
