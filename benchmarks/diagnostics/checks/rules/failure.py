"""Find gold queries that fail or nearly fail."""

from benchmarks.diagnostics.checks.gold_case import GoldCase
from benchmarks.records.finding import Finding
from sql_env.types import Status

SLOW_SHARE = 0.1
"""A gold query is slow from this share of the step limit on.

A right answer that is written in another way can take ten times as many steps.
"""


def fails(case: GoldCase) -> Finding | None:
    """Find a gold query that does not run to its end."""
    if case.result.ok or case.result.status is Status.TIMEOUT:
        return None
    return case.make_finding(
        "fails",
        f"{case.result.status}: {case.result.error}",
        "Repair the query or the database, or leave the task out: it is masked and enters no average.",
    )


def slow(case: GoldCase) -> Finding | None:
    """Find a gold query that exceeds the step limit, or uses more than `SLOW_SHARE` of it."""
    if case.result.status is Status.TIMEOUT:
        return case.make_finding(
            "slow",
            f"over the limit: {case.result.error}",
            "Raise the limit or rewrite the query: now the task is masked.",
        )
    share = (case.steps or 0) / case.max_steps
    if share < SLOW_SHARE:
        return None
    return case.make_finding(
        "slow",
        f"{case.steps:,} steps, {share:.0%} of the limit",
        "Raise max_steps, so that a right answer in another form is not stopped.",
    )


def not_itself(case: GoldCase) -> Finding | None:
    """Find a gold query that is judged wrong as its own prediction."""
    if case.rollout.masked or case.rollout.correct:
        return None
    return case.make_finding(
        "not-itself",
        "the gold query is judged wrong as its own prediction",
        "No answer can be right: find what the task's comparison cannot match. If sql-env is wrong, report "
        "it.",
    )
