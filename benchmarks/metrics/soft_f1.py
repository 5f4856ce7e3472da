"""BIRD's soft F1: how much of the gold table a predicted table holds."""

from __future__ import annotations

from collections.abc import Sequence

from sql_env.types import Row, Score


def compute_soft_f1(predicted: Sequence[Row], gold: Sequence[Row]) -> float:
    """The F1 of two tables by the rules of BIRD's mini-dev (bird-bench/mini_dev 4d970a9).

    Each table loses its repeated rows, the first of each staying where it is. Rows are then paired by
    their place, so an order of its own costs a prediction that is right as a set. Of a pair count, as
    shares of the gold's number of columns, the predicted values that the gold row holds (true
    positives) and those that it does not hold (false positives), and the gold values that the
    predicted row does not hold (false negatives). A row without a partner is one false positive or one
    false negative. Values are equal as Python has it. The cost is linear in the number of values.

    Args:
        predicted: The rows of the prediction's result.
        gold: The rows of the gold query's result.

    Returns:
        0 to 1; 1 where both are empty.

    Example:
        >>> soft_f1([("Alice", 30), ("Bob", 41)], [("Alice", 30), ("Bob", 42), ("Carol", 50)])
        0.6
    """
    if not predicted and not gold:
        return 1.0
    ours, theirs = list(dict.fromkeys(predicted)), list(dict.fromkeys(gold))
    found, foreign, missing = 0.0, 0.0, 0.0
    for row, wanted in zip(ours, theirs, strict=False):
        values, wanted_values = set(row), set(wanted)
        hits = sum(value in wanted_values for value in row)
        found += hits / len(wanted)
        foreign += (len(row) - hits) / len(wanted)
        missing += sum(value not in values for value in wanted) / len(wanted)
    foreign += max(0, len(ours) - len(theirs))
    missing += max(0, len(theirs) - len(ours))
    return 2 * found / (2 * found + foreign + missing)


def score_soft_f1(score: Score) -> float | None:
    """The soft F1 of a prediction: 0 where it did not run, None where the sample is masked."""
    if score.masked:
        return None
    result = score.rollout.result
    return compute_soft_f1(result.rows, score.rollout.gold.rows) if result is not None and result.ok else 0.0
