"""Summaries of evaluations: as ``summary.json``, and as tables on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import apsw
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.metrics.efficiency import SCORES
from benchmarks.metrics.hardness import sort_easiest_first
from benchmarks.metrics.intervals import bootstrap_interval, compute_interval, wilson_interval
from benchmarks.metrics.paired import bootstrap_difference, mcnemar
from benchmarks.records.item import Item
from benchmarks.records.masking import MAX_MASKED_SHARE, measure_masking
from sql_env.display.terminal import escape_control, make_console
from sql_env.types import Benchmark


def make_summary(benchmark: Benchmark, items: Sequence[Item], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Summarize an evaluation.

    Args:
        benchmark: The benchmark.
        items: One item for each task.
        settings: All settings that determine the result, as in ``config.json``.

    Returns:
        The content of ``summary.json``. ``accuracy`` is execution accuracy of all items, ``low`` and ``high``
        are the ends of its 95 % interval, ``masked_share`` is the share of answers that it leaves out though
        their gold query succeeds, and ``by_difficulty`` has the same for each level. ``masked`` is the number
        of masked items, ``masked_by_gold`` the number whose gold query fails, and ``masked_reasons`` has the
        most frequent reasons with their numbers. ``metrics`` has
        the mean of each other metric, and ``metrics_by_difficulty`` has it for each level. ``selection``
        compares the vote with greedy decoding on the same items.
    """
    levels = _group_by_level(items)
    n = sum(item.correct is not None for item in items)
    masking = measure_masking(items)
    return {
        "benchmark": benchmark.name,
        "split": benchmark.split,
        "comparison": settings["comparison"],
        "limits": settings["limits"],
        "sqlite_version": apsw.sqlite_lib_version(),
        "tasks": len(items),
        "masked": len(items) - n,
        "masked_by_gold": masking.gold_fails,
        "masked_reasons": dict(masking.reasons),
        **_measure_accuracy(items),
        "by_difficulty": {level: _measure_accuracy(part) for level, part in levels.items()},
        "metrics": _average_metrics(items),
        "metrics_by_difficulty": {level: _average_metrics(part) for level, part in levels.items()},
        "selection": dict(_compare_selection(items)),
        "statuses": dict(sorted(Counter(item.status for item in items if not item.masked).items())),
        "left_out": list(benchmark.left_out),
        "predictions": settings["source"] if "file" in settings["source"] else {},
    }


def print_summary(benchmark: Benchmark, summary: Mapping[str, Any]) -> None:
    """Print execution accuracy by difficulty, the other metrics, and what is masked or left out."""
    console = make_console(highlight=False, soft_wrap=True)
    console.print(_draw_accuracy(f"{benchmark.name} {benchmark.split}: execution accuracy", summary))
    if summary["metrics"]:
        console.print(draw_metrics(summary["metrics"], summary["metrics_by_difficulty"]))
    for pair, change in summary["selection"].items():
        console.print(
            f"{pair}: {change['mean']:+.1%} ({change['low']:+.1%} to {change['high']:+.1%}); "
            f"{change['gained']} gained, {change['lost']} lost, McNemar's exact p = {change['p_value']:.2g}"
        )
    statuses = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items())
    console.print(f"how the queries ended: {statuses}")
    _print_masking(console, summary)
    if usage := summary.get("usage"):
        _print_usage(usage)
    if summary.get("prompts_without_gold_tables"):
        console.print(
            f"prompts that lack a table of the gold query: {summary['prompts_without_gold_tables']}"
        )
    for line in benchmark.left_out or ("nothing",):
        console.print(f"left out: {line}", markup=False)


def _print_masking(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the masked tasks with their reasons, and warn if there are many whose gold query succeeds."""
    gold = f", {summary['masked_by_gold']} of them because the gold query fails"
    console.print(
        f"masked, and in no average: {summary['masked']}{gold if summary['masked_by_gold'] else ''}"
    )
    for reason, count in summary["masked_reasons"].items():
        console.print(f"  {count} x {escape_control(reason)}", markup=False)
    share = summary["masked_share"]
    if share is not None and share > MAX_MASKED_SHARE:
        console.print(
            f"warning: {share:.1%} of the answers whose gold query succeeds are masked, and the accuracy "
            "leaves them out. Find the cause and repeat the evaluation before you compare this accuracy.",
            style="yellow",
        )


def _print_usage(usage: Mapping[str, Any]) -> None:
    """Print to stderr the tokens and the time of the completions, and their cost where a price is given.

    The same run has the same results on stdout, but not the same times.
    """
    console = make_console(stderr=True, highlight=False, soft_wrap=True)
    tokens = f"{usage['prompt_tokens']:,} tokens of prompts, {usage['completion_tokens']:,} of completions"
    console.print(
        f"completions: {usage['requests']:,}, {tokens}, {usage['seconds_per_request']:.2f} s for each"
    )
    if "cost" in usage:
        unknown = "unknown, because the server does not count all tokens"
        console.print(f"cost: {unknown if usage['cost'] is None else usage['cost']}")


def _measure_accuracy(items: Sequence[Item]) -> dict[str, Any]:
    share = wilson_interval([item.correct for item in items])
    return {
        "n": share.n if share else 0,
        "correct": sum(item.correct is True for item in items),
        "accuracy": share and share.mean,
        "low": share and share.low,
        "high": share and share.high,
        "masked_share": measure_masking(items).share,
    }


def _group_by_level(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Group items by difficulty. Known levels come in order, the easiest first."""
    levels = sort_easiest_first(dict.fromkeys(item.difficulty for item in items))
    return {level: [item for item in items if item.difficulty == level] for level in levels}


def _average_metrics(items: Sequence[Item]) -> dict[str, dict[str, Any] | None]:
    names = dict.fromkeys(name for item in items for name in item.metrics)
    means = {
        name: (bootstrap_interval if name in SCORES else compute_interval)(
            [None if item.masked else item.metrics.get(name) for item in items]
        )
        for name in names
    }
    return {name: asdict(mean) if mean else None for name, mean in means.items()}


def _compare_selection(items: Sequence[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Compare each vote with greedy decoding, where items have both."""
    votes = [name for name in (items[0].metrics if items else ()) if name.startswith("vote@")]
    for vote in votes:
        pairs = [(item.metrics.get("greedy"), item.metrics.get(vote)) for item in items if not item.masked]
        change = bootstrap_difference([a for a, _ in pairs], [b for _, b in pairs])
        if change is not None:
            verdicts = [[None if each is None else bool(each) for each in pair] for pair in pairs]
            flips = mcnemar([a for a, _ in verdicts], [b for _, b in verdicts])
            yield f"{vote} - greedy", asdict(change) | asdict(flips)


def _draw_accuracy(title: str, summary: Mapping[str, Any]) -> Table:
    table = Table("difficulty", title=title, title_justify="left")
    for name in ("n", "correct", "accuracy", "95 % interval", "masked"):
        table.add_column(name, justify="right")
    for level, part in (*summary["by_difficulty"].items(), ("all", summary)):
        figures = ("–", "–") if part["accuracy"] is None else _format("", part["accuracy"], part)
        masked = "–" if part["masked_share"] is None else f"{part['masked_share']:.1%}"
        table.add_row(escape(level or "(none)"), str(part["n"]), str(part["correct"]), *figures, masked)
    return table


def draw_metrics(
    metrics: Mapping[str, Mapping[str, Any] | None],
    by_level: Mapping[str, Mapping[str, Mapping[str, Any] | None]] | None = None,
    *,
    title: str | None = None,
    header: tuple[str, ...] = ("metric", "n", "mean", "95 % interval"),
) -> Table:
    """Draw the mean and the interval of each metric, and its mean on each level of difficulty.

    Args:
        metrics: The name of each metric, and `benchmarks.metrics.intervals.Interval` as a dict.
        by_level: The same for each level. A single level is left out.
        title: The title of the table.
        header: The first four headings.
    """
    levels = by_level if by_level and len(by_level) > 1 else {}
    table = Table(*header[:1], title=title, title_justify="left")
    for name in (*header[1:], *(escape(level or "(none)") for level in levels)):
        table.add_column(name, justify="right")
    for metric, part in metrics.items():
        figures = ("0", "–", "–") if part is None else (str(part["n"]), *_format(metric, part["mean"], part))
        means = (of_level.get(metric) for of_level in levels.values())
        cells = ("–" if mean is None else _format(metric, mean["mean"], mean)[0] for mean in means)
        table.add_row(escape(metric), *figures, *cells)
    return table


def _format(metric: str, mean: float, part: Mapping[str, Any]) -> tuple[str, str]:
    """Format a mean and the ends of its interval."""
    form = "{:.1f}" if metric in SCORES else "{:.1%}"
    return form.format(mean), f"{form.format(part['low'])} to {form.format(part['high'])}"
