"""The reward for the right result."""

from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def result(
    rollout: Rollout, *, correct: float = 3.0, wrong: float = -3.0, fails: float = 0.0, malformed: float = 0.0
) -> float | None:
    """Reward the right result, under the comparison of the task.

    SQL-R1, equation 4 (arXiv 2504.08600): S_r is 3 if the result is correct, 0 if the format is
    wrong or the SQL is not executable, else -3.
    """
    if rollout.result is None:
        return malformed
    if not rollout.result.ok:
        return fails
    if rollout.correct is None:
        return None
    return correct if rollout.correct else wrong
