"""Compute BIRD's soft F1: how much of the gold table the predicted table contains."""

from collections.abc import Hashable, Sequence

from sql_env.comparison.keys import make_byte_keys, make_value_key, share_hashes
from sql_env.types import Row, Score

MAX_PLAIN_COLUMNS = 32
"""Wider rows become sets of keys: a query can return many large integers with one hash."""


def compute_soft_f1(predicted: Sequence[Row], gold: Sequence[Row]) -> float:
    """Return the F1 of two tables by the rules of BIRD's mini-dev (bird-bench/mini_dev 4d970a9).

    Repeated rows are removed, except for the first. Then rows are paired by their place, so another order
    lowers the score of a prediction that is right as a set. Each pair gives shares of the gold's number of
    columns: predicted values that are in the gold row (true positives), predicted values that are not in it
    (false positives), and gold values that are not in the predicted row (false negatives). A row without a
    partner is one false positive or one false negative. Values are compared by Python's ``==``. The time is
    linear in the number of values.

    Args:
        predicted: The rows of the prediction's result.
        gold: The rows of the gold query's result.

    Returns:
        0 to 1; 1 if both are empty.

    Example:
        >>> compute_soft_f1([("Alice", 30), ("Bob", 41)], [("Alice", 30), ("Bob", 42), ("Carol", 50)])
        0.6
    """
    if not predicted and not gold:
        return 1.0
    ours, theirs = _remove_repeated(predicted), _remove_repeated(gold)
    found, foreign, missing = 0.0, 0.0, 0.0
    for row, wanted in zip(map(_list_keys, ours), map(_list_keys, theirs), strict=False):
        values, wanted_values = set(row), set(wanted)
        hits = sum(value in wanted_values for value in row)
        found += hits / len(wanted)
        foreign += (len(row) - hits) / len(wanted)
        missing += sum(value not in values for value in wanted) / len(wanted)
    foreign += max(0, len(ours) - len(theirs))
    missing += max(0, len(theirs) - len(ours))
    return 2 * found / (2 * found + foreign + missing)


def _remove_repeated(rows: Sequence[Row]) -> list[Row]:
    keys: Sequence[Hashable] = make_byte_keys(rows) if share_hashes(rows) else rows
    return list(dict(zip(keys, rows, strict=True)).values())


def _list_keys(row: Row) -> Sequence[Hashable]:
    return row if len(row) <= MAX_PLAIN_COLUMNS else list(map(make_value_key, row))


def score_soft_f1(score: Score) -> float | None:
    """Return the soft F1 of a prediction: 0 if it did not run, None if it is masked."""
    if score.masked:
        return None
    result = score.rollout.result
    return compute_soft_f1(result.rows, score.rollout.gold.rows) if result is not None and result.ok else 0.0
