"""BIRD's execution accuracy: two results are equal if they are the same set of rows.

Rule of the official evaluator (bird-bench/mini_dev 4d970a9): neither order nor duplicates count,
columns count by place, values are equal as Python has it, and any two empty results are equal.
"""

from __future__ import annotations

from sql_env.comparison.gold import Gold
from sql_env.types import ExecutionResult


def equal(result: ExecutionResult, gold: Gold) -> bool:
    """Whether two results are equal under BIRD's semantics."""
    return result.rows == gold.result.rows or set(result.rows) == set(gold.result.rows)
