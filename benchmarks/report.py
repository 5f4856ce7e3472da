"""What an evaluation found: for the terminal, and as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.hardness import LEVELS
from benchmarks.metrics import Tally, by_difficulty, tally
from benchmarks.predictions import indices
from sql_env.errors import DataError
from sql_env.limits import Limits
from sql_env.types import Benchmark, Score, Status

_ORDER = (*LEVELS, "simple", "moderate", "challenging")
"""Spider's and BIRD's difficulties, easiest first."""


def items(benchmark: Benchmark, scores: Sequence[Score]) -> Iterator[dict[str, Any]]:
    """A line of ``items.jsonl`` for each task, in benchmark order.

    ``index`` is the task's place in the benchmark's own file. ``correct`` is null where the sample
    is masked. ``status`` is how the prediction ended; a blank one is an ``error``.
    """
    for index, score in zip(indices(benchmark), scores, strict=True):
        result = score.rollout.result
        yield {
            "index": index,
            "task_id": score.rollout.task.id,
            "correct": score.rollout.correct,
            "status": str(result.status if result is not None else Status.ERROR),
        }


def summary(
    benchmark: Benchmark,
    scores: Sequence[Score],
    *,
    comparison: str | None = None,
    limits: Limits | None = None,
    predictions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What ``summary.json`` says.

    Args:
        benchmark: What was measured.
        scores: One for each of its tasks.
        comparison: The semantics that replaced the tasks' own, if any.
        limits: What each query might cost; the defaults where None.
        predictions: What was scored, as `benchmarks.predictions.digest` names it.
    """
    total = tally(scores)
    semantics = [comparison] if comparison else sorted({task.comparison for task in benchmark.tasks})
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "comparison": ", ".join(semantics),
        "limits": asdict(limits or Limits()),
        "sqlite_version": apsw.sqlite_lib_version(),
        "tasks": len(scores),
        "masked": len(scores) - total.n,
        **_counts(total),
        "by_difficulty": {level: _counts(part) for level, part in _levels(scores).items()},
        "left_out": list(benchmark.left_out),
        "predictions": dict(predictions or {}),
    }


def _counts(part: Tally) -> dict[str, Any]:
    return {"n": part.n, "correct": part.correct, "accuracy": part.accuracy}


def _levels(scores: Sequence[Score]) -> dict[str, Tally]:
    """The tallies by difficulty, easiest first as far as the levels are known."""
    found = by_difficulty(scores)
    return dict(sorted(found.items(), key=lambda f: _ORDER.index(f[0]) if f[0] in _ORDER else len(_ORDER)))


def show(benchmark: Benchmark, scores: Sequence[Score]) -> None:
    """Print execution accuracy by difficulty, and what is not in it."""
    total = tally(scores)
    shown = Table(title=f"{benchmark.name} {benchmark.split}: execution accuracy", title_justify="left")
    shown.add_column("difficulty")
    for name in ("n", "correct", "accuracy"):
        shown.add_column(name, justify="right")
    for level, part in (*_levels(scores).items(), ("all", total)):
        percent = "–" if part.accuracy is None else f"{part.accuracy:.1%}"
        shown.add_row(escape(level or "(none)"), str(part.n), str(part.correct), percent)
    console = Console(highlight=False, soft_wrap=True)
    console.print(shown)
    console.print(f"masked, and in no average: {len(scores) - total.n}")
    for line in benchmark.left_out or ("nothing",):
        console.print(f"left out: {line}", markup=False)


def write(folder: Path, lines: Iterable[Mapping[str, Any]], report: Mapping[str, Any]) -> None:
    """Write ``items.jsonl`` and ``summary.json`` into a folder, which is made.

    Raises:
        DataError: They cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "summary.json").write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise DataError(f"cannot write the report into {str(folder)!r}: {error}") from None
