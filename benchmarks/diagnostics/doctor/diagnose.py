"""All rules over a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from benchmarks.diagnostics.doctor import answers, drift, shortcuts, signal
from benchmarks.diagnostics.doctor.run import Run
from benchmarks.records.finding import Finding
from benchmarks.records.item import Item, ResultPreview

RULES = (
    answers.format_rate,
    answers.execution_rate,
    answers.limits,
    answers.masked,
    signal.constant_total,
    signal.flat_groups,
    signal.same_completions,
    drift.length_drift,
    drift.reward_without_correct,
    shortcuts.empty_matches,
    shortcuts.one_sql,
)
"""Rules that find one thing at most. `signal.dead_components` may find several."""


def diagnose(items: Iterable[Item]) -> list[Finding]:
    """What the rules find in the items of an evaluation, or in the rollouts of a training run.

    Items with a ``step`` belong to training, and those of one step and one task are a group. The rules
    on rewards, groups and their course look at training alone.

    Example:
        >>> diagnose([])
        []
    """
    run = Run(tuple(map(slim, items)))
    found = [finding for rule in RULES if (finding := rule(run)) is not None]
    return [*found, *signal.dead_components(run)]


def slim(item: Item) -> Item:
    """The item without the rows of its results, which no rule looks at."""
    return replace(item, result=_bare(item.result), gold_result=_bare(item.gold_result), candidates=[])


def _bare(shown: ResultPreview | None) -> ResultPreview | None:
    return ResultPreview([], [], shown.row_count) if shown is not None else None
