"""The reward for SQL that runs."""

from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def execution(rollout: Rollout, *, runs: float = 2.0, fails: float = -2.0, malformed: float = 0.0) -> float:
    """Reward SQL that runs within its limits.

    SQL-R1, equation 3 (arXiv 2504.08600): S_e is 2 if the SQL is executable, 0 if the format is
    wrong, else -2. A query fails too if a limit stops it, or if it is denied because it would write.
    """
    if rollout.result is None:
        return malformed
    return runs if rollout.result.ok else fails
