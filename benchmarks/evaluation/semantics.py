"""Score a file of predictions under all semantics: ``python -m benchmarks.evaluation.semantics --help``."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from benchmarks.loading.parameters import parameters
from benchmarks.loading.predictions import digest, read_predictions
from benchmarks.metrics.verdicts import Verdicts, compute_accuracies, group_results, judge_under_all
from benchmarks.records.item import shown
from sql_env.benchmark import load_benchmark
from sql_env.display.panel import escape_control, result_table, side_by_side, sql_block
from sql_env.errors import DataError, SQLEnvError
from sql_env.types import Benchmark, ExecutionResult

SHOWN = 5
"""Items that flip which are printed, if not told otherwise."""


def report(benchmark: Benchmark, found: Sequence[Verdicts], predictions: Mapping[str, str]) -> dict[str, Any]:
    """What ``semantics.json`` says: accuracy under each semantics, and each item that flips."""
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "predictions": dict(predictions),
        "left_out": list(benchmark.left_out),
        "accuracy": {name: share and asdict(share) for name, share in compute_accuracies(found).items()},
        "flips": [_line(verdicts) for verdicts in found if verdicts.flips],
    }


def _line(verdicts: Verdicts) -> dict[str, Any]:
    return {
        "index": verdicts.index,
        "task_id": verdicts.task.id,
        "question": verdicts.task.question,
        "gold_sql": verdicts.task.gold_sql,
        "sql": verdicts.sql,
        "correct": dict(verdicts.correct),
        "compared": [
            {"semantics": list(names), "result": _shown(result), "gold": _shown(gold)}
            for names, result, gold in group_results(verdicts)
        ],
    }


def _shown(result: ExecutionResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    table = shown(result)
    return {"status": str(result.status), "error": result.error, "table": table and asdict(table)}


def show(benchmark: Benchmark, found: Sequence[Verdicts], most: int = SHOWN) -> Group:
    """Accuracy under each semantics, how many items flip in which way, and the first of them drawn.

    Args:
        benchmark: What was measured.
        found: A verdict for each of its tasks.
        most: How many of the items that flip are drawn.
    """
    flips = [verdicts for verdicts in found if verdicts.flips]
    kinds = Counter((verdicts.comparisons_with(True), verdicts.comparisons_with(False)) for verdicts in flips)
    parts: list[RenderableType] = [_accuracy_table(benchmark, found)]
    parts += [
        Text(f"{count} right under {_names(right)}, wrong under {_names(wrong)}")
        for (right, wrong), count in kinds.most_common()
    ]
    parts += [drawn(verdicts) for verdicts in flips[:most]]
    if len(flips) > most:
        parts.append(Text(f"{len(flips) - most} more items flip; --out writes all of them"))
    return Group(*parts)


def _accuracy_table(benchmark: Benchmark, found: Sequence[Verdicts]) -> Table:
    table = Table(title=f"{benchmark.name} {benchmark.split}: execution accuracy", title_justify="left")
    table.add_column("semantics")
    for name in ("n", "accuracy", "95 % interval"):
        table.add_column(name, justify="right")
    for name, share in compute_accuracies(found).items():
        figures = ("0", "–", "–")
        if share is not None:
            figures = (str(share.n), f"{share.mean:.1%}", f"{share.low:.1%} to {share.high:.1%}")
        table.add_row(name, *figures)
    return table


def drawn(verdicts: Verdicts) -> RenderableType:
    """An item that flips: its question, both queries, and what they returned, side by side."""
    right, wrong = _names(verdicts.comparisons_with(True)), _names(verdicts.comparisons_with(False))
    parts: list[RenderableType] = [
        Text(f"right under {right}, wrong under {wrong}", style="yellow"),
        Text(escape_control(verdicts.task.question), style="bold"),
        Text("\nprediction", style="dim"),
        sql_block(verdicts.sql),
        Text("\ngold", style="dim"),
        sql_block(verdicts.task.gold_sql),
    ]
    compared = list(group_results(verdicts))
    for names, result, gold in compared:
        parts.append(Text(f"\nas run for {_names(names)}" if len(compared) > 1 else "", style="dim"))
        ours = result_table("prediction", result) if result is not None else Text("no SQL was run")
        parts.append(side_by_side(ours, result_table("gold", gold)))
    return Panel(Group(*parts), title=escape_control(verdicts.task.id), title_align="left")


def _names(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    benchmark: Annotated[str, typer.Option(help="The benchmark's name: spider, bird, demo, ...")],
    predictions: Annotated[Path, typer.Option(help="One SQL a line, or JSON as BIRD's.")],
    split: Annotated[str | None, typer.Option(help="The split; the benchmark's own default.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with the benchmark's files.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="A further argument of the loader, NAME=VALUE: path=FILE, database_dir=DIR."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run queries.")] = 2,
    items: Annotated[int, typer.Option(min=0, help="How many of the items that flip are printed.")] = SHOWN,
    out: Annotated[Path | None, typer.Option(help="Folder for semantics.json, with all of them.")] = None,
) -> None:
    """Score a file of predictions under all semantics, and show the items that flip."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what is left out is printed below
    try:
        loaded = load_benchmark(benchmark, split, data_dir, **parameters(param))
        sql, source = read_predictions(predictions, loaded), digest(predictions)
        found = _judged(loaded, sql, workers)
        if out is not None:
            _write(out, report(loaded, found, source))
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    console = Console(highlight=False)
    console.print(show(loaded, found, items))
    for line in loaded.left_out:
        console.print(f"left out: {line}", markup=False, soft_wrap=True)


def _judged(benchmark: Benchmark, sql: Sequence[str], workers: int) -> list[Verdicts]:
    """What `judge_under_all` returns, with a progress bar on stderr."""
    with Progress(console=Console(stderr=True)) as bar:
        row = bar.add_task("scoring", total=len(sql))
        return judge_under_all(benchmark, sql, workers=workers, progress=lambda n: bar.advance(row, n))


def _write(folder: Path, report: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "semantics.json").write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise DataError(f"cannot write the report into {str(folder)!r}: {error}") from None


if __name__ == "__main__":
    app()
