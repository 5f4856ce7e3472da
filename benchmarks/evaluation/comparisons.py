"""Score a file of predictions under all comparisons: ``python -m benchmarks.evaluation.comparisons``."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from benchmarks.evaluation.options import BenchmarkOptions, exit_on_error, expand_options
from benchmarks.evaluation.pipeline import show_progress
from benchmarks.evaluation.summary import draw_metrics
from benchmarks.loading.predictions import hash_predictions, read_predictions
from benchmarks.metrics.verdicts import Verdicts, compute_accuracies, group_results, judge_under_all
from benchmarks.records.item import preview_result
from benchmarks.records.json_lines import write_json
from sql_env.display.panel import draw_result, draw_side_by_side, draw_sql
from sql_env.display.terminal import escape_control, make_console
from sql_env.types import Benchmark, ExecutionResult

ITEMS_DRAWN = 5
"""Default number of flipping items that are drawn."""


def make_report(
    benchmark: Benchmark, found: Sequence[Verdicts], predictions: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of ``semantics.json``: accuracy under each comparison, and all items that flip."""
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "predictions": dict(predictions),
        "left_out": list(benchmark.left_out),
        "accuracy": _measure_accuracy(found),
        "masked": _count_masked(found),
        "flips": [
            {
                "index": verdicts.index,
                "task_id": verdicts.task.id,
                "question": verdicts.task.question,
                "gold_sql": verdicts.task.gold_sql,
                "sql": verdicts.sql,
                "correct": dict(verdicts.correct),
                "compared": [
                    {"semantics": list(names), "result": _to_dict(result), "gold": _to_dict(gold)}
                    for names, result, gold in group_results(verdicts)
                ],
            }
            for verdicts in found
            if verdicts.flips
        ],
    }


def _measure_accuracy(found: Sequence[Verdicts]) -> dict[str, dict[str, Any] | None]:
    return {name: asdict(share) if share else None for name, share in compute_accuracies(found).items()}


def _count_masked(found: Sequence[Verdicts]) -> int:
    """Count the tasks that have no verdict under a comparison."""
    return sum(None in verdicts.correct.values() for verdicts in found)


def _to_dict(result: ExecutionResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    table = preview_result(result)
    return {"status": str(result.status), "error": result.error, "table": asdict(table) if table else None}


def draw_report(benchmark: Benchmark, found: Sequence[Verdicts], most: int = ITEMS_DRAWN) -> Group:
    """Draw accuracy under each comparison, the numbers of masked and flipping items, and some that flip.

    Args:
        benchmark: The benchmark.
        found: The verdicts of each task.
        most: Maximum number of flipping items that are drawn.
    """
    flips = [verdicts for verdicts in found if verdicts.flips]
    kinds = Counter((verdicts.comparisons_with(True), verdicts.comparisons_with(False)) for verdicts in flips)
    title = f"{benchmark.name} {benchmark.split}: execution accuracy"
    parts: list[RenderableType] = [
        draw_metrics(
            _measure_accuracy(found), title=title, header=("semantics", "n", "accuracy", "95 % interval")
        )
    ]
    parts.append(Text(f"masked, and in no average: {_count_masked(found)} of {len(found)}"))
    parts += [
        Text(f"{count} right under {_join(right)}, wrong under {_join(wrong)}")
        for (right, wrong), count in kinds.most_common()
    ]
    parts += map(draw_flip, flips[:most])
    if len(flips) > most:
        parts.append(Text(f"{len(flips) - most} more items flip; --out writes all of them"))
    return Group(*parts)


def draw_flip(verdicts: Verdicts) -> RenderableType:
    """Draw an item that flips: its question, both queries and their results, side by side."""
    right, wrong = _join(verdicts.comparisons_with(True)), _join(verdicts.comparisons_with(False))
    parts: list[RenderableType] = [
        Text(f"right under {right}, wrong under {wrong}", style="yellow"),
        Text(escape_control(verdicts.task.question), style="bold"),
        Text("\nprediction", style="dim"),
        draw_sql(verdicts.sql),
        Text("\ngold", style="dim"),
        draw_sql(verdicts.task.gold_sql),
    ]
    compared = list(group_results(verdicts))
    for names, result, gold in compared:
        parts.append(Text(f"\nas run for {_join(names)}" if len(compared) > 1 else "", style="dim"))
        prediction = Text("no SQL was run") if result is None else draw_result("prediction", result)
        parts.append(draw_side_by_side(prediction, draw_result("gold", gold)))
    return Panel(Group(*parts), title=escape_control(verdicts.task.id), title_align="left")


def _join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@expand_options
def main(
    options: BenchmarkOptions,
    predictions: Annotated[
        Path, typer.Option(help="File of predictions: one SQL query a line, or JSON as BIRD's.")
    ],
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that run queries.")] = 2,
    items: Annotated[int, typer.Option(min=0, help="Number of flipping items that are drawn.")] = ITEMS_DRAWN,
    out: Annotated[
        Path | None, typer.Option(help="Folder for semantics.json, which has all items that flip.")
    ] = None,
) -> None:
    """Score a file of predictions under all comparisons, and show the items whose verdict flips."""
    logging.getLogger("sql_env.benchmark").setLevel(
        logging.ERROR
    )  # the output has the tasks that are left out
    console = make_console(highlight=False)
    with exit_on_error():
        benchmark = options.load()
        sql, source = read_predictions(predictions, benchmark), hash_predictions(predictions)
        with show_progress(len(sql)) as advance:
            found = judge_under_all(benchmark, sql, workers=workers, progress=partial(advance, "scoring"))
        if out is not None:
            write_json(out / "semantics.json", make_report(benchmark, found, source))
        console.print(draw_report(benchmark, found, items))
        for line in benchmark.left_out:
            console.print(f"left out: {line}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
