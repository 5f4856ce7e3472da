"""Gold queries that fail, or nearly do."""

from benchmarks.diagnostics.checks.gold_case import Trial
from benchmarks.records.finding import Finding
from sql_env.types import Status

NEAR = 0.1
"""The share of the step budget from which on a gold query is slow.

A right answer that is written in another way may well take ten times as many steps.
"""


def fails(trial: Trial) -> Finding | None:
    """The gold query does not run to its end."""
    if trial.result.ok or trial.result.status is Status.TIMEOUT:
        return None
    return trial.finding(
        "fails",
        f"{trial.result.status}: {trial.result.error}",
        "Mend the query or the database, or leave the task out: it is masked, and counts nowhere.",
    )


def slow(trial: Trial) -> Finding | None:
    """The gold query uses up its budget, or more than `NEAR` of it."""
    if trial.result.status is Status.TIMEOUT:
        return trial.finding(
            "slow",
            f"out of budget: {trial.result.error}",
            "Raise the limit, or write the query in another way: as it is, the task is masked.",
        )
    share = (trial.steps or 0) / trial.max_steps
    if share < NEAR:
        return None
    return trial.finding(
        "slow",
        f"{trial.steps:,} steps, {share:.0%} of the budget",
        "Raise max_steps, so that a right answer in other words is not stopped.",
    )


def not_itself(trial: Trial) -> Finding | None:
    """The gold query is judged wrong as its own prediction."""
    if trial.rollout.masked or trial.rollout.correct:
        return None
    return trial.finding(
        "not-itself",
        "the gold query is judged wrong as its own prediction",
        "No answer can be right: see what the task's comparison cannot match, and report it if it is ours.",
    )
