"""What an evaluation found, from its items: for the terminal, and as ``summary.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import apsw
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.metrics.hardness import sort_easiest_first
from benchmarks.metrics.intervals import bootstrap_interval
from benchmarks.metrics.paired import bootstrap_difference, mcnemar
from benchmarks.records.item import Item
from sql_env.types import Benchmark

_SCORES = ("r_ves", "ves")
"""Metrics that are no shares, and are printed as numbers."""


def summary(benchmark: Benchmark, items: Sequence[Item], config: Mapping[str, Any]) -> dict[str, Any]:
    """What ``summary.json`` says.

    Args:
        benchmark: What was measured.
        items: One for each of its tasks.
        config: What determined the result; see `benchmarks.evaluate`.

    Returns:
        An object of JSON. ``accuracy`` is execution accuracy, with the ends of its 95 % interval in
        ``low`` and ``high``, of all items and ``by_difficulty``; ``metrics`` has the mean of each other
        metric in the same way, and ``metrics_by_difficulty`` that of each level. ``selection`` sets the
        vote against greedy decoding on the same items.
    """
    n = sum(item.correct is not None for item in items)
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "comparison": config["comparison"],
        "limits": config["limits"],
        "sqlite_version": apsw.sqlite_lib_version(),
        "tasks": len(items),
        "masked": len(items) - n,
        **_accuracy(items),
        "by_difficulty": {level: _accuracy(part) for level, part in _levels(items).items()},
        "metrics": _metrics(items),
        "metrics_by_difficulty": {level: _metrics(part) for level, part in _levels(items).items()},
        "selection": dict(_selection(items)),
        "statuses": dict(sorted(Counter(item.status for item in items).items())),
        "left_out": list(benchmark.left_out),
        "predictions": config["source"] if "file" in config["source"] else {},
    }


def show(benchmark: Benchmark, found: Mapping[str, Any]) -> None:
    """Print a summary: execution accuracy by difficulty, the other metrics, and what is not in them."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(_by_difficulty(f"{benchmark.name} {benchmark.split}: execution accuracy", found))
    if found["metrics"]:
        console.print(_further(found["metrics"], found["metrics_by_difficulty"]))
    for pair, change in found["selection"].items():
        console.print(
            f"{pair}: {change['mean']:+.1%} ({change['low']:+.1%} to {change['high']:+.1%}); "
            f"{change['gained']} gained, {change['lost']} lost, McNemar's exact p = {change['p_value']:.2g}"
        )
    statuses = ", ".join(f"{count} {status}" for status, count in found["statuses"].items())
    console.print(f"how the queries ended: {statuses}")
    console.print(f"masked, and in no average: {found['masked']}")
    if found.get("prompts_without_gold_tables"):
        console.print(f"prompts that lack a table of the gold query: {found['prompts_without_gold_tables']}")
    for line in benchmark.left_out or ("nothing",):
        console.print(f"left out: {line}", markup=False)


def _accuracy(items: Sequence[Item]) -> dict[str, Any]:
    verdicts = [item.correct for item in items]
    found = bootstrap_interval(verdicts)
    return {
        "n": found.n if found else 0,
        "correct": sum(verdict is True for verdict in verdicts),
        "accuracy": found and found.mean,
        "low": found and found.low,
        "high": found and found.high,
    }


def _levels(items: Sequence[Item]) -> dict[str, list[Item]]:
    """The items by difficulty, easiest first as far as the levels are known."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.difficulty, []).append(item)
    return {level: found[level] for level in sort_easiest_first(found)}


def _metrics(items: Sequence[Item]) -> dict[str, dict[str, Any] | None]:
    names = dict.fromkeys(name for item in items for name in item.metrics)
    found = {name: bootstrap_interval([item.metrics.get(name) for item in items]) for name in names}
    return {name: asdict(each) if each else None for name, each in found.items()}


def _selection(items: Sequence[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The vote against greedy decoding, where items have both."""
    votes = [name for name in (items[0].metrics if items else ()) if name.startswith("vote@")]
    for vote in votes:
        pairs = [(item.metrics.get("greedy"), item.metrics.get(vote)) for item in items]
        change = bootstrap_difference([a for a, _ in pairs], [b for _, b in pairs])
        if change is not None:
            flips = mcnemar([_verdict(a) for a, _ in pairs], [_verdict(b) for _, b in pairs])
            yield f"{vote} - greedy", asdict(change) | asdict(flips)


def _verdict(value: float | None) -> bool | None:
    return None if value is None else bool(value)


def _by_difficulty(title: str, found: Mapping[str, Any]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("difficulty")
    for name in ("n", "correct", "accuracy", "95 % interval"):
        table.add_column(name, justify="right")
    for level, part in (*found["by_difficulty"].items(), ("all", found)):
        figures = ("–", "–") if part["accuracy"] is None else _figures("", part["accuracy"], part)
        table.add_row(escape(level or "(none)"), str(part["n"]), str(part["correct"]), *figures)
    return table


def _further(
    metrics: Mapping[str, Mapping[str, Any] | None],
    levels: Mapping[str, Mapping[str, Mapping[str, Any] | None]],
) -> Table:
    table = Table()
    table.add_column("metric")
    shown = levels if len(levels) > 1 else {}
    for name in ("n", "mean", "95 % interval", *(escape(level or "(none)") for level in shown)):
        table.add_column(name, justify="right")
    for metric, part in metrics.items():
        figures = ("0", "–", "–") if part is None else (str(part["n"]), *_figures(metric, part["mean"], part))
        means = (found.get(metric) for found in shown.values())
        cells = ("–" if mean is None else _form(metric).format(mean["mean"]) for mean in means)
        table.add_row(escape(metric), *figures, *cells)
    return table


def _form(metric: str) -> str:
    return "{:.1f}" if metric in _SCORES else "{:.1%}"


def _figures(metric: str, mean: float, part: Mapping[str, Any]) -> tuple[str, str]:
    form = _form(metric)
    return form.format(mean), f"{form.format(part['low'])} to {form.format(part['high'])}"
