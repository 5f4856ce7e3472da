"""Apply all rules to a run."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from benchmarks.diagnostics.doctor import answers, drift, training_signal
from benchmarks.diagnostics.doctor.run_items import RunItems
from benchmarks.records.finding import Finding
from benchmarks.records.item import Item, ResultPreview

RULES = (
    answers.find_malformed_answers,
    answers.find_failing_sql,
    answers.find_stopped_answers,
    answers.find_masked_answers,
    training_signal.find_constant_total,
    training_signal.find_flat_groups,
    training_signal.find_same_completions,
    drift.find_length_drift,
    drift.find_reward_without_correct,
    answers.find_empty_matches,
    answers.find_one_sql,
    training_signal.find_dead_components,
)
"""The rules, in the order of their findings. Each yields any number of findings."""


def diagnose(items: Iterable[Item]) -> list[Finding]:
    """Apply the rules to the items of an evaluation, or to the rollouts of a training run.

    Items with a ``step`` belong to training. The items of one step and one task are a group. The rules on
    rewards, groups and drift use only the items of training.

    Example:
        >>> diagnose([])
        []
    """
    run = RunItems(tuple(map(drop_rows, items)))
    return list(chain.from_iterable(rule(run) for rule in RULES))


def drop_rows(item: Item) -> Item:
    """Return the item without the rows of its results, which no rule reads."""
    result, gold_result = (
        ResultPreview([], [], shown.row_count) if shown is not None else None
        for shown in (item.result, item.gold_result)
    )
    return replace(item, result=result, gold_result=gold_result, candidates=[])
