"""BIRD's execution accuracy: two results are equal if they are the same set of rows.

These are the rules of the official evaluator (bird-bench/mini_dev 4d970a9): order and duplicates do not
count, columns are compared by position, values are compared by Python's ``==``, and any two empty results
are equal.
"""

from __future__ import annotations

from sql_env.comparison.gold import Gold
from sql_env.comparison.keys import is_equal_set
from sql_env.types import ExecutionResult


def is_equal(result: ExecutionResult, gold: Gold) -> bool:
    """Return True if two results are equal under BIRD's rules."""
    return result.rows == gold.result.rows or is_equal_set(result.rows, gold.result.rows)
